print("golf trains")
