FROM scratch
LABEL a=b "c d"="e f" g='h i'
LABEL multi="line \
continued" n=1
LABEL org.example.version=1.0
LABEL a=replaced
