"""What the pages of Flask and Django list: the same for both, with characters that a template escapes."""
TITLE = "Tea & coffee"
PRODUCTS = [{"name": f"Number <{number}>", "price": f"{number * 1.25:.2f}", "stock": number % 3}
            for number in range(1, 13)]
