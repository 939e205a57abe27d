//! The operations that can be called, with their parameters.

/// An operation that can be called as data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Operation {
    /// Its name: `kv.put`.
    pub name: &'static str,
    /// The parameters it needs, in the order in which a command line takes them.
    pub required: &'static [&'static str],
    /// The parameters it takes besides; `space` always.
    pub optional: &'static [&'static str],
}

impl Operation {
    /// All of its parameters but `space`.
    pub fn parameters(&self) -> impl Iterator<Item = &'static str> {
        self.required.iter().chain(self.optional).copied()
    }

    pub(super) fn takes(&self, key: &str) -> bool {
        self.parameters().any(|parameter| parameter == key)
    }
}

/// All operations that can be called, by primitive.
pub fn operations() -> &'static [Operation] {
    OPERATIONS
}

const fn op(
    name: &'static str,
    required: &'static [&'static str],
    optional: &'static [&'static str],
) -> Operation {
    Operation {
        name,
        required,
        optional,
    }
}

const PAGED: &[&str] = &["since", "until", "after", "limit"];

const OPERATIONS: &[Operation] = &[
    op("kv.get", &["key"], &[]),
    op("kv.get_many", &["keys"], &[]),
    op(
        "kv.put",
        &["key", "value"],
        &["expires", "ttl_ms", "if_absent", "if_version"],
    ),
    op("kv.delete", &["key"], &[]),
    op("kv.exists", &["key"], &[]),
    op(
        "kv.scan",
        &[],
        &["prefix", "after", "before", "limit", "reverse"],
    ),
    op("kv.range", &[], &["from", "to", "limit", "reverse"]),
    op("kv.count", &[], &["prefix"]),
    op("kv.cas", &["key", "value"], &["expected"]),
    op("kv.swap", &["key", "value"], &[]),
    op("kv.increment", &["key"], &["by", "initial"]),
    op("kv.append", &["key", "value"], &["separator"]),
    op("kv.extend", &["key", "items"], &[]),
    op("kv.merge", &["key", "value", "strategy"], &[]),
    op("kv.purge", &[], &["limit"]),
    op("kv.history", &["key"], &["limit"]),
    op("kv.get_at", &["key", "version"], &[]),
    op("json.create", &["key", "value"], &[]),
    op("json.get", &["key"], &["path"]),
    op("json.set", &["key", "path", "value"], &["if_version"]),
    op("json.remove", &["key", "path"], &[]),
    op("json.drop", &["key"], &[]),
    op("json.exists", &["key"], &[]),
    op("json.version", &["key"], &[]),
    op("json.type", &["key"], &["path"]),
    op("json.len", &["key"], &["path"]),
    op("json.keys", &["key"], &["path"]),
    op("json.list", &[], &["prefix", "after", "limit"]),
    op("json.count", &[], &["prefix"]),
    op("json.patch", &["key", "patch"], &[]),
    op("json.merge", &["key", "value"], &["path", "strategy"]),
    op("json.push", &["key", "path", "items"], &[]),
    op("json.pop", &["key", "path"], &[]),
    op("json.insert", &["key", "path", "value"], &[]),
    op("json.move", &["key", "from", "to"], &[]),
    op("json.move_item", &["key", "path", "from", "to"], &[]),
    op("json.increment", &["key", "path"], &["by", "initial"]),
    op("json.append", &["key", "path", "value"], &["separator"]),
    op("json.history", &["key"], &["limit"]),
    op("json.get_at", &["key", "version"], &[]),
    op("cell.get", &["key"], &[]),
    op("cell.init", &["key", "value"], &[]),
    op("cell.get_or_init", &["key", "value"], &[]),
    op("cell.set", &["key", "value"], &[]),
    op("cell.cas", &["key", "value"], &["expected"]),
    op("cell.delete", &["key"], &[]),
    op("cell.list", &[], &["prefix", "after", "limit"]),
    op("cell.history", &["key"], &["limit"]),
    op("cell.get_at", &["key", "version"], &[]),
    op("event.append", &["stream", "type", "payload"], &[]),
    op(
        "event.restore",
        &["stream", "sequence", "time", "type", "payload"],
        &["hash"],
    ),
    op("event.get", &["stream", "sequence"], &[]),
    op(
        "event.range",
        &["stream"],
        &["from", "to", "limit", "reverse"],
    ),
    op(
        "event.by_time",
        &["stream"],
        &["since", "until", "from", "limit"],
    ),
    op("event.by_type", &["stream", "type"], &["from", "limit"]),
    op("event.head", &["stream"], &[]),
    op("event.len", &["stream"], &[]),
    op("event.types", &["stream"], &[]),
    op("event.streams", &[], &["prefix", "after", "limit"]),
    op("event.verify", &["stream"], &[]),
    op(
        "trace.record",
        &["type", "payload"],
        &["id", "parent", "tags"],
    ),
    op(
        "trace.restore",
        &["id", "time", "type", "payload"],
        &["parent", "tags"],
    ),
    op("trace.get", &["id"], &[]),
    op("trace.children", &["id"], &["after", "limit"]),
    op("trace.tree", &["id"], &["limit"]),
    op("trace.roots", &[], PAGED),
    op("trace.by_type", &["type"], PAGED),
    op("trace.by_tag", &["tag"], PAGED),
    op("trace.by_time", &[], PAGED),
    op("trace.count", &[], &[]),
    op("run.create", &[], &["id", "parent", "tags", "metadata"]),
    op(
        "run.restore",
        &["id", "status", "created", "updated"],
        &["parent", "tags", "metadata"],
    ),
    op("run.get", &["id"], &[]),
    op("run.set_status", &["id", "status"], &[]),
    op("run.set_metadata", &["id", "path", "value"], &[]),
    op("run.remove_metadata", &["id", "path"], &[]),
    op("run.add_tag", &["id", "tag"], &[]),
    op("run.remove_tag", &["id", "tag"], &[]),
    op("run.fork", &["id"], &["new_id", "tags", "metadata"]),
    op("run.delete", &["id"], &["cascade"]),
    op("run.list", &[], PAGED),
    op("run.by_status", &["status"], PAGED),
    op("run.by_tag", &["tag"], PAGED),
    op("run.roots", &[], PAGED),
    op("run.children", &["id"], &["after", "limit"]),
    op("run.count", &[], &[]),
    op("run.diff", &["id", "other"], &["limit"]),
    op("run.replay", &["id"], &["limit"]),
    op("space.list", &[], &["prefix", "after", "limit"]),
    op("space.info", &[], &[]),
    op("space.exists", &[], &[]),
    op("space.delete", &[], &[]),
    op("space.copy", &["to"], &[]),
];
