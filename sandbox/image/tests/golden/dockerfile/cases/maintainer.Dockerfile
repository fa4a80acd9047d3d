FROM scratch
MAINTAINER Some One <some@example.org>
