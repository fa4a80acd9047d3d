FROM scratch
ENV root=/srv
ARG sub=run
WORKDIR $root/${sub}
WORKDIR deeper
