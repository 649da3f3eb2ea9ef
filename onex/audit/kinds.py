"""What may be wrong, by name; docs/runbooks/imbalance.md says of each what it means and what to do."""

from __future__ import annotations

KINDS = {
    "result_not_announced": "assessment has a result in a state that it never announced",
    "result_not_at_bank": "a result was announced and the bank does not know it",
    "result_behind_at_bank": "the bank knows an older revision of a result than was announced",
    "result_differs_at_bank": "bank and assessment say different things of one revision of a result",
    "result_unknown": "the bank knows a result that assessment does not have",
    "result_not_entered": "the bank took a result in without an entry on the account",
    "credited_twice": "one revision of a result has more than one entry",
    "waits_for_nothing": "a result waits at the bank, and nothing would ever wake it",
    "worth_differs": "an account shows other points than its learner's results are worth",
    "sum_not_zero": "what an account shows and what the bank issued to it do not add up to zero",
    "pocket_differs": "an account shows points in another pocket than its entries put them into",
    "chain_broken": "entries of an account are missing or too many",
    "credit_not_announced": "an entry was never announced",
    "credit_not_told": "an entry that changed what is available was not told",
    "final_not_told": "a final result without a pass was not told",
    "told_twice": "one thing was told twice on one channel",
    "told_without_credit": "credit was told that no entry gave",
    "mail_waits_for_nothing": "an e-mail waits, and nothing would ever wake it",
    "merge_not_followed": "two learners are one at the bank, and a service still keeps them apart",
}
