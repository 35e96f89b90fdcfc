"""Middle floor: networks, their training, their weights, and the stages that wrap them."""
