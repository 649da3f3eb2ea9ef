"""The planner 学分规划: the best exemptions under every rule and cap, what they foreclose, and who can be rescued."""
