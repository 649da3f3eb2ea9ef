"""Accounts 账户 as their readers may know them: to a learner no decision exists before it is told."""
