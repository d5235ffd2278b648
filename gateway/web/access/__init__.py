"""The page's doors: what each route asks of who comes, and the routes by which people come and go."""
