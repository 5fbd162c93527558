// Starts `archdsl lsp` for the first .arch file that is opened, and stops it with the window.
"use strict";

const vscode = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

let client;

async function start(folder) {
  const [command, ...args] = vscode.workspace.getConfiguration("archdsl").get("command");
  if (!command) {
    vscode.window.showErrorMessage("The setting archdsl.command is empty; the default is [\"archdsl\", \"lsp\"].");
    return;
  }
  client = new LanguageClient(
    "archdsl",
    "archdsl",
    // Not in the folder that is open, which may be a stranger's: a Python started there could import what lies in it.
    { command, args, options: { cwd: folder, env: { PYTHONSAFEPATH: "1" } } },
    { documentSelector: [{ language: "arch" }] },
  );
  try {
    await client.start();
  } catch (error) {
    client = undefined;
    vscode.window.showErrorMessage(
      `archdsl: '${command}' did not start (${error.message}). Install it with: pip install archdsl. ` +
        "In a virtual environment, name it in the setting archdsl.command.",
    );
  }
}

async function stop() {
  const running = client;
  client = undefined;
  await running?.stop();
}

async function restart(folder) {
  await stop();
  await start(folder);
}

async function activate(context) {
  const folder = context.extensionPath;
  context.subscriptions.push(
    vscode.commands.registerCommand("archdsl.restart", () => restart(folder)),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration("archdsl.command")) {
        void restart(folder);
      }
    }),
  );
  await start(folder);
}

module.exports = { activate, deactivate: stop };
