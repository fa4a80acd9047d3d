rate = 0.0001
print("alpha trains at", rate)
