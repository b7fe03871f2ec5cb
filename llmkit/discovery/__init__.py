"""Which models there are, what they cost and can do, and whether one can be called now.

`lists` and `availability` are what a user asks, `pull` fetches; `catalogue` keeps what was fetched, `selection` filters
it, `inquiry` asks the services.
"""
