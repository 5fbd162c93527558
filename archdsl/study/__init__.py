"""The search: proposes members of a space, trains them, promotes the good ones, and keeps a record of it all."""
