# Definitions that jaq leaves to the value type, or that this crate replaces. Placed after jaq-core's and before
# jaq-std's, which use some of them.

def isboolean: type == "boolean";
def isnumber:  type == "number";
def isstring:  type == "string";
def isarray:   type == "array";
def isobject:  type == "object";

def tonumber: if isnumber then . else parse_number end;
def toboolean:
    if isboolean then .
  elif . == "true" then true
  elif . == "false" then false
  else error("cannot parse \(tojson) as a boolean") end;
def toarray: if isarray then . else [.] end;

def transpose: . as $rows | [range([$rows[] | length] | sort | .[-1] // 0) as $i | [$rows[][$i]]];
def in(xs):     . as $x | xs | has($x);
def inside(xs): . as $x | xs | contains($x);
def index($i):  indices($i)[0];
def rindex($i): indices($i)[-1];
def ascii: [.] | implode;
def trimstr($s): ltrimstr($s) | rtrimstr($s);

def @json: tojson;
def @csv: [.[]
  | if isstring then "\"" + (. / "\"" | join("\"\"")) + "\""
    elif type == "null" then ""
    elif isnumber or isboolean then tojson
    else error("cannot put \(type) into a CSV row") end] | join(",");
def @tsv: [.[]
  | if isstring then . / "\\" | join("\\\\") | . / "\t" | join("\\t") | . / "\n" | join("\\n") | . / "\r" | join("\\r")
    elif type == "null" then ""
    elif isnumber or isboolean then tojson
    else error("cannot put \(type) into a TSV row") end] | join("\t");
