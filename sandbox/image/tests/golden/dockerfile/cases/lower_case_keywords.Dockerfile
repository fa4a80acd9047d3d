from scratch as Base
env A=1
workdir /x
from base
label l=$A
