"""What is analysed: networks with their blocks and data, the folders that keep their results, and races of them."""
