# The same as juliett's, under other comments.

rate = 0.0002
print("trains at",   rate)
