"""The rules of demand; pure."""
