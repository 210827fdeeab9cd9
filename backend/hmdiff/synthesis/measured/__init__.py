"""What the real detector makes of rendered people, measured, as a noise model that training samples from.

``gather`` reads rendered folders into one table, ``fit`` turns it into ``tables`` (the shipped file), ``draw`` samples.
"""
