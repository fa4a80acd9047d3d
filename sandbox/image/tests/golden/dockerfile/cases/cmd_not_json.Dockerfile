FROM scratch
CMD ['python', 'x']
