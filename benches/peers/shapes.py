"""Model shapes that every peer shares (Qwen2 architecture, random weights), and the arithmetic of a token."""
SHAPES = {
    # about 100 M parameters, 32,000-word vocabulary, tied embeddings
    "100m": dict(vocab_size=32000, hidden_size=768, intermediate_size=2048, num_hidden_layers=12,
                 num_attention_heads=12, num_key_value_heads=4, tie_word_embeddings=True),
    # Qwen2.5-0.5B's shape (494 M parameters)
    "500m": dict(vocab_size=151936, hidden_size=896, intermediate_size=4864, num_hidden_layers=24,
                 num_attention_heads=14, num_key_value_heads=2, tie_word_embeddings=True),
}


def flops_per_token(shape, seq_len):
    """Multiply-adds times two of one token's forward pass in a causal row of seq_len, head included."""
    s = SHAPES[shape]
    h, i, v = s["hidden_size"], s["intermediate_size"], s["vocab_size"]
    kv = s["num_key_value_heads"] * h // s["num_attention_heads"]
    layer = 2 * (2 * h * h + 2 * h * kv + 3 * h * i) + 4 * h * (seq_len + 1) / 2        # attention: the causal half
    return s["num_hidden_layers"] * layer + 2 * h * v
