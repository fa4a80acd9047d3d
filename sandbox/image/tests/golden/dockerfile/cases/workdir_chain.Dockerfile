FROM scratch
WORKDIR /a
WORKDIR b
WORKDIR ../c/./d
