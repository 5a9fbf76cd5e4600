"""The towers of CLIP ViT-L/14 as numbers: what gpu_peers.py builds, counts and asks octet for."""
from dataclasses import dataclass


@dataclass(frozen=True)
class Tower:
    name: str
    hidden: int
    intermediate: int
    layers: int
    heads: int
    tokens: int       # a sequence: patches and the class token, or the context length
    projection: int
    image: int = 0    # side of the picture and of a patch; 0: a text tower
    patch: int = 0
    vocabulary: int = 0

    @property
    def input_name(self):
        return "pixel_values" if self.image else "input_ids"

    def input_dims(self, batch):
        return [batch, 3, self.image, self.image] if self.image else [batch, self.tokens]

    def flop(self):
        """Of one item: the matrix products, attention over all tokens (causal or not), 2 for a multiply-add."""
        linears = 2 * self.tokens * self.hidden * (4 * self.hidden + 2 * self.intermediate)
        attention = 4 * self.tokens * self.tokens * self.hidden
        patches = 2 * (self.tokens - 1) * 3 * self.patch * self.patch * self.hidden if self.image else 0
        return patches + self.layers * (linears + attention) + 2 * self.hidden * self.projection


VIT_L_14 = {
    "image": Tower("image", hidden=1024, intermediate=4096, layers=24, heads=16, tokens=257, projection=768, image=224, patch=14),
    "text": Tower("text", hidden=768, intermediate=3072, layers=12, heads=12, tokens=77, projection=768, vocabulary=49408),
}
