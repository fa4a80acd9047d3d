FROM scratch
ENV a=1 \
    # a comment between
    b=2 \

    c="3 \
4"
