"""Calls in which only the voice travels: each side makes the other's portrait from it.

`opus`, `playout` and `gate` are the voice's; `motion` and `head` are what goes beside it while a head is steered;
`codes`, `address` and `rendezvous` bring two sides together; `peer` (WebRTC), `rtp` and `framed` are the lines between
them; `giving` and `taking` bring the subject over, once; `conversation` puts a call together.
"""
