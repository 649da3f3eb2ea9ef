"""Names and identity numbers of people who do not exist."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random

SURNAMES = "陈黄李张林王刘吴梁杨周郑何罗郭谢邓曾叶冯蔡许朱潘钟苏彭吕卢曹袁董余邹熊谭廖麦冼区植古温欧招"
COMPOUND_SURNAMES = ("欧阳", "司徒", "上官")
FIRST_GIVEN = "嘉梓晓俊浩佩雅诗宇子志泽慧家颖思钰伟建昊雨锦婉景韵楚润敏润咏绮栩芷沛彦"
SECOND_GIVEN = "琳轩婷杰莹涛娜欣霖彤瑜豪萱铭妍涵恩祺仪玲曦聪蓉潼璇滢昕峰洁斌怡桐霞鑫"
# 生僻字 (one of them beyond the Basic Multilingual Plane) and names with a middle dot, which colleges do have.
RARE_NAMES = ("李㛃", "王䶮", "陈堃喆", "刘𬱖妍", "周翀㬎", "梁昇犇", "何㵘洁", "黄赟龑")
DOTTED_NAMES = ("阿依努尔·买买提", "古丽娜尔·阿不都拉", "热合曼·吐尔逊", "迪丽拜尔·艾合买提", "扎西·多吉旺堆")

PLACES = ("440103", "440104", "440105", "440106", "440111", "440112", "440113", "440305", "440605", "441302", "445281")
OTHER_PLACES = ("450102", "430103", "360102", "522601", "650102", "460107")
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def check_character(first: str) -> str:
    """The last character of an identity number whose first seventeen are these (GB 11643)."""
    total = sum(weight * int(digit) for weight, digit in zip(WEIGHTS, first, strict=True))
    return "10X98765432"[total % 11]


def identity_number(place: str, born: str, serial: int) -> str:
    """An identity number of a place, a day of birth as YYYYMMDD and a serial number."""
    first = f"{place}{born}{serial:03d}"
    return first + check_character(first)


def with_wrong_digit(number: str) -> str:
    """The number with a check character that does not fit."""
    return number[:17] + next(digit for digit in "12345678" if digit != number[17])


class Registry:
    """Gives out names and numbers, none of them twice."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.numbers: set[str] = set()
        self.names: set[str] = set()

    def name(self) -> str:
        """A name of mostly three characters."""
        while True:
            surname = self.rng.choice(COMPOUND_SURNAMES if self.rng.random() < 0.01 else SURNAMES)
            second = self.rng.choice(SECOND_GIVEN)
            name = surname + (second if self.rng.random() < 0.06 else self.rng.choice(FIRST_GIVEN) + second)
            if name not in self.names:
                self.names.add(name)
                return name

    def number(self, first_year: int, last_year: int) -> str:
        """A resident's number of someone born between two years."""
        while True:
            place = self.rng.choice(PLACES if self.rng.random() < 0.8 else OTHER_PLACES)
            days = (date(last_year, 12, 31) - date(first_year, 1, 1)).days
            born = date(first_year, 1, 1) + timedelta(days=self.rng.randrange(days))
            number = identity_number(place, born.strftime("%Y%m%d"), self.rng.randrange(1, 1000))
            if number not in self.numbers:
                self.numbers.add(number)
                return number
