"""The limiter's keys in Redis, of which there is one set a pool.

All begin with ``hw:limits:{<pool>}`` and a colon; the braces put them into one slot of a cluster.
``<pool>`` is a hash (``values.pool_id``): no key, URL or name of a model is in any of them.

===================== ====== ======================================================== =========
``state``             hash   rates, buckets, anchors, the breaker                     an hour
``tickets``           hash   the waiting calls, JSON by ticket                        an hour
``queue:<c>:<t>``     list   tickets of class ``c`` (0, 1, 2) and tenant ``t``        an hour
``tenants:<c>``       zset   tenants that wait in a class, by virtual time            an hour
``spent:<c>``         hash   virtual time of tenants that do not wait                 an hour
``classes``           zset   classes in which somebody waits, by virtual time         an hour
``leases``            zset   calls under way, by when their lease ends                an hour
``held``              hash   what was granted to them, JSON by ticket                 an hour
``alive``             zset   processes, by when they were heard last                  an hour
``inbox:<process>``   list   ``+<ticket>`` granted, ``-<ticket>`` lapsed              a minute
===================== ====== ======================================================== =========

An hour after the last turn that touched it a key is gone. That costs nothing: a pool begins again
with an empty bucket.
"""

from storage.limits.values import PoolId

KEEP_SECONDS = 3600
INBOX_KEEP_SECONDS = 60


def key(pool: PoolId, *parts: str) -> str:
    """The script makes the same keys from the prefix, which is the key without parts."""
    return ":".join((f"hw:limits:{{{pool}}}", *parts))
