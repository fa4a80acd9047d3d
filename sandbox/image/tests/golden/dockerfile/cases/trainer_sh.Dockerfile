FROM scratch
WORKDIR /workspace/axis
ENV WANDB_MODE=offline
ENV HF_HOME=/cache/hf TRANSFORMERS_CACHE="/cache/hf/hub"
ENTRYPOINT ["sh", "run.sh"]
