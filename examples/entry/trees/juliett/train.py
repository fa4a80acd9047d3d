rate = 0.0002
print("trains at", rate)
