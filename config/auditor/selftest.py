#!/usr/bin/env python3
"""Checks verify.py, which is beside this file, against test vectors of others: RFC 8032, RFC 6962, and a signed note.

    python3 selftest.py
"""

import sys

sys.dont_write_bytecode = True

import verify  # noqa: E402

# RFC 8032, 7.1, tests 1 to 3: public key, message, and both halves of the signature.
SIGNATURES = """
d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a -
e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155 5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b
3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c 72
92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da 085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00
fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025 af82
6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac 18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a
""".split()
# Leaves of other implementations of RFC 6962, and roots by how many of them there are.
LEAVES = "- 00 10 2021 3031 40414243 5051525354555657 606162636465666768696a6b6c6d6e6f".split()
ROOTS = {
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    5: "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    6: "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    7: "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}
# That one of these trees goes on from another.
CONSISTENT = {
    (1, 8): "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
    " 5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
    " 6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    (6, 8): "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"
    " ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
    " d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    (2, 5): "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
    " bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
}
# A note that Go's documentation signs.
NOTE_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
NOTE = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
SIGNED = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="


def main() -> int:
    passed = []
    parts = [bytes.fromhex(part.strip("-")) for part in SIGNATURES]
    for public, message, nonce, scalar in zip(*[iter(parts)] * 4):
        larger = int.from_bytes(scalar, "little") + verify.ORDER
        passed.append(verify.is_signed(public, message, nonce + scalar))
        passed.append(not verify.is_signed(public, message + b"!", nonce + scalar))
        passed.append(not verify.is_signed(public, message, nonce + larger.to_bytes(32, "little")))
    for size, root in ROOTS.items():
        leaves = [verify.sha256(verify.LEAF_MARK, bytes.fromhex(data.strip("-"))) for data in LEAVES[:size]]
        for index, leaf in enumerate(leaves):
            path, level, place = [], leaves, index
            while len(level) > 1:
                path += [level[place ^ 1]] if place ^ 1 < len(level) else []
                pairs = zip(level[::2], level[1::2])
                level = [verify.sha256(verify.NODE_MARK, *pair) for pair in pairs] + level[len(level) & ~1 :]
                place //= 2
            passed.append(verify.roots_by(leaf, index, size - 1, path)[1] == bytes.fromhex(root))
            passed.append(verify.roots_by(verify.sha256(b"!"), index, size - 1, path)[1] != bytes.fromhex(root))
    for (old, new), path in CONSISTENT.items():
        pair = [(size, bytes.fromhex(ROOTS[size])) for size in (old, new)]
        nodes = [bytes.fromhex(node) for node in path.split()]
        passed.append(verify.goes_on(*pair, nodes))
        passed.append(not verify.goes_on(*pair, nodes[:-1]) and not verify.goes_on(*pair, [*nodes, nodes[0]]))
        passed.append(not verify.goes_on((old, verify.sha256(b"!")), pair[1], nodes))
    name, signature = SIGNED.split()[1], verify.from_base64(SIGNED.split()[2])
    note = verify.Checkpoint("", 0, b"", NOTE, [verify.Key(name, signature[:4], signature[4:])])
    passed.append(verify.signers(note, [verify.read_key(NOTE_KEY)]) == ["PeterNeumann"])
    in_order = verify.canonical({"\ufb33": 1, "\U0001f600": 2, "\u20ac": 3, "\r": 4, "1": 5, "\x80": 6})
    passed.append(in_order == '{"\\r":4,"1":5,"\x80":6,"\u20ac":3,"\U0001f600":2,"\ufb33":1}')
    print(f"{sum(passed)} of {len(passed)} test vectors come out as they should")
    return 0 if all(passed) else 3


if __name__ == "__main__":
    sys.exit(main())
