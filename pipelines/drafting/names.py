"""Reads what columns' names suggest: words of customers, times, money and codes."""

from __future__ import annotations

import re
from collections.abc import Mapping

_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_LONG = 5  # letters of a stem that is also found within a word, such as purchaseamount

# stem -> points
CUSTOMER = {
    **dict.fromkeys(("customer", "cust", "client", "household", "shopper", "user"), 10),
    **dict.fromkeys(("member", "donor", "subscriber", "buyer", "player", "visitor"), 9),
    **dict.fromkeys(("kunde", "cliente", "klant", "account", "policyholder", "patient"), 9),
    **dict.fromkeys(("person", "contact", "policy", "pol", "msisdn", "guest", "card"), 7),
    **dict.fromkeys(("id", "uid", "key"), 2),
}
NOT_CUSTOMER = dict.fromkeys(
    (
        *("order", "invoice", "transaction", "basket", "product", "item", "sku", "stock", "store"),
        *("session", "row", "line", "campaign", "coupon", "category", "zip", "pin", "receipt"),
        *("manufacturer", "brand", "subclass", "department", "description", "name", "upc"),
        *("country", "region", "city", "group", "type", "age", "segment", "channel", "status"),
    ),
    -9,
)
TIME = {
    **dict.fromkeys(("date", "time", "timestamp", "datetime", "day", "dt", "ts"), 5),
    **dict.fromkeys(("datum", "fecha", "epoch"), 5),
    **dict.fromkeys(("order", "purchase", "transaction", "invoice", "event", "sale", "bought"), 3),
    **dict.fromkeys(("visit", "paid", "payment", "claim", "created"), 2),
}
NOT_TIME = {
    **dict.fromkeys(("birth", "dob", "birthday", "birthdate", "born"), -20),
    **dict.fromkeys(("due", "expiry", "expire", "expires", "valid", "end", "until"), -7),
    **dict.fromkeys(("update", "updated", "modified", "delivery", "shipped", "loaded"), -6),
    **dict.fromkeys(("signup", "registered", "registration", "joined", "launch"), -6),
}
TOTAL = {  # an event's whole value
    **dict.fromkeys(("amount", "amt", "revenue", "spend", "spent", "turnover", "gmv"), 10),
    **dict.fromkeys(("value", "sales", "total", "subtotal", "payment", "paid", "umsatz"), 9),
    **dict.fromkeys(("betrag", "montant", "importe", "net", "gross", "claim", "claimed"), 6),
}
PRICE = dict.fromkeys(("price", "preis", "prix", "precio", "rate", "cost"), 6)
QUANTITY = dict.fromkeys(("quantity", "qty", "units", "menge", "pieces", "pcs", "items"), 6)
NOT_MONEY = dict.fromkeys(
    (
        *("disc", "discount", "tax", "vat", "fee", "tip", "shipping", "balance", "limit"),
        *("budget", "asset", "margin", "id", "code", "age", "no", "number", "zip", "year"),
        *("month", "week", "day", "count", "nb", "index", "rank", "score", "upc"),
    ),
    -12,
)
LABEL = {
    **dict.fromkeys(("label", "target", "ltv", "cltv", "clv", "y"), 12),
    **dict.fromkeys(("revenue", "spend", "spent", "sales", "gmv", "value"), 5),
    **dict.fromkeys(("amount", "future", "next"), 4),
}
ORDER = dict.fromkeys(
    ("order", "invoice", "basket", "transaction", "receipt", "ticket", "visit", "session"), 6
)
CODE = dict.fromkeys(
    (
        *("id", "code", "zip", "pin", "postcode", "plz", "type", "class", "group", "region"),
        *("no", "key", "category", "brand", "channel", "store", "shop", "country", "segment"),
        *("upc", "sku", "status", "gender", "product", "subclass"),
    ),
    1,
)


def words(name: str) -> list[str]:
    """The words of a name in lower case: `CustomerID` has customer and id."""
    return [word.lower() for word in _WORD.findall(name)]


def points(name: str, *stems: Mapping[str, int]) -> int:
    """The points of the stems that are a word of a name, or within it where they are long.

    Args:
        name: a column's name.
        stems: stem -> points.
    """
    found, joined = words(name), re.sub(r"[\W_]", "", name.lower())
    return sum(
        value
        for group in stems
        for stem, value in group.items()
        if stem in found
        or f"{stem}s" in found
        or (len(stem) >= _LONG and stem in joined and not _within_longer(stem, joined, group))
    )


def looks_like_id(name: str) -> bool:
    """Whether a name begins or ends with `id`, as IDpol and user_id do."""
    return bool(re.search(r"^(id|uid)(?![a-z]{3,}$)|^ID|(_|^|[a-z])(id|ID|Id)$", name))


def identifier(text: str) -> str:
    """A name that settings and SQL take as it is."""
    name = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_").lower() or "column"
    return f"_{name}" if name[0].isdigit() else name


def unused(name: str, taken: set[str]) -> str:
    """A name, with a number behind it where it is taken; it is taken then."""
    free, number = name, 2
    while free.lower() in taken:
        free, number = f"{name}_{number}", number + 1
    taken.add(free.lower())
    return free


def _within_longer(stem: str, joined: str, group: Mapping[str, int]) -> bool:
    """Whether a stem is found only as a part of another stem that is found, too."""
    longer = [other for other in group if stem in other and other != stem and other in joined]
    return any(stem not in joined.replace(other, "") for other in longer)
