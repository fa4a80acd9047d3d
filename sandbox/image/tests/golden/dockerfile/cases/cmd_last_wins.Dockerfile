FROM scratch
CMD ["a"]
CMD ["b", "c d", "\u0041\t"]
