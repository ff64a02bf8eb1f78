# The audit of iommu-ledger as a gawk script: ftrace text of the own72n probes in, violations of the v7.3 design counted.
# Fields are found by their names, as the reader of the project does it: whoever defined the probes in another order, or with
# more fields, gets the same answer. `audit-positional.awk` beside it gives that up for speed.
# What it follows: for each domain who owns it, its words, its MSI pages, the groups on it, whether it is freed; for each MSI
# descriptor the address that must be programmed. A refused attempt is not illegal: the kernel did its work.
# Usage: gawk -b -f audit.awk [-v show=1] FILE
# Left out: fault handlers, SVA, claims, PASIDs, IOVAs per iommufd fd, groups of several devices at hot plug.

function bad(rule) {
  illegal++
  if (show) print rule ": " $0 > "/dev/stderr"
}

# key=value of this line into F.
function fields(    i, at) {
  delete F
  for (i = 6; i <= NF; i++) if ((at = index($i, "=")) > 1) F[substr($i, 1, at - 1)] = substr($i, at + 1)
}

# The number that a 0x… text means; each text is converted once.
function number(text,    i, n) {
  if (text in NUMBER) return NUMBER[text]
  for (i = 3; i <= length(text); i++) n = n * 16 + index("123456789abcdef", substr(text, i, 1))
  return NUMBER[text] = n + 0
}

# NULL and error pointers have no words worth reading.
function isPointer(d) { return substr(d, 1, 6) == "0xffff" && substr(d, 1, 14) != "0xffffffffffff" }

# A domain is known from its birth on, with these words.
function born(d, type, owner) {
  if (d in PENDING) { illegal += PENDING[d]; delete PENDING[d] }
  delete FREED[d]
  TYPE[d] = type; OWNER[d] = owner
  PAGES[d] = ""; MADE[d] = ATTACHED[d] = 0; WHOLE[d] = 1; GENERATION[d]++
  delete BASE[d]; delete PUT[d]
}

# iommufd's domains come straight from the driver: the first event that names one is its birth.
function bornAtIommufd(d) {
  if (d in FREED || OWNER[d] == "") { delete PENDING[d]; born(d, "0x1", "5") }
}

# Checks observed words; what was seen counts from then on. Both types of a DMA domain are right, and freed memory says nothing.
function words(d, type, owner) {
  if (!isPointer(d) || d in FREED) return
  if (OWNER[d] != "" && (OWNER[d] != owner || (TYPE[d] != type && TYPE[d] type != "0x30xb" && TYPE[d] type != "0xb0x3"))) bad("word-mismatch")
  TYPE[d] = type; OWNER[d] = owner
}

# iommu_map of an MSI page: at most one violation, the first that applies.
function mapMsi(d, iova, paddr, prot, byIommufd,    at, base, owner) {
  at = number(iova); owner = OWNER[d]
  base = owner == "5" ? 134217728 : BASE[d]
  if (substr(paddr, length(paddr) - 2) != "000") bad("msi-phys-not-masked")
  else if (index(PAGES[d], " " paddr "=")) bad("msi-duplicate-doorbell")
  else if (index(PAGES[d], "=" iova ";")) bad("msi-iova-reused")
  else if ((owner == "5") != byIommufd) bad("msi-wrong-backend")
  else if (prot != (byIommufd ? "0x13" : "0x1a")) bad("msi-prot-mismatch")
  else if ((owner == "2" || owner == "5") && base != "" && (at < base || at >= base + 1048576)) bad("msi-iova-outside-window")
  else if (owner == "2" && base != "" && WHOLE[d] && at != base + MADE[d] * 4096) bad("msi-iova-mismatch")
  PAGES[d] = PAGES[d] " " paddr "=" iova ";"
  MADE[d]++
}

function leaveDomain(group) {
  if (group in ON && GENERATION[ON[group]] == ON_GENERATION[group]) ATTACHED[ON[group]]--
  delete ON[group]
}

BEGIN { events = illegal = 0 }

# A task name with blanks in it: the fields are counted without it.
$2 !~ /^\[/ {
  if (!match($0, /-[0-9]+ +\[[0-9]+\] /)) next
  $0 = "task" substr($0, RSTART)
}

$6 == "IOMMU:" {
  if ($5 == "remove_device_from_group:") leaveDomain(substr($7, 9))
  next
}

$6 !~ /^\(/ { next }

{ fields() }

"dom" in F && "ctype" in F { if ($5 != "domain_alloc_in:" && $5 != "domain_init:" && $5 != "fd_paging_alloc:" && $5 !~ /^get_(dma|msi)_cookie_ret:/ && $5 != "group_set_domain:" && $5 != "domain_free:" && $5 !~ /^put_/) words(F["dom"], F["dtype"], F["ctype"]) }
"old_dom" in F && $5 != "group_set_domain:" { words(F["old_dom"], F["old_dtype"], F["old_ctype"]) }
"cur_dom" in F { words(F["cur_dom"], F["cur_dtype"], F["cur_ctype"]) }
"def_dom" in F { words(F["def_dom"], F["def_dtype"], F["def_ctype"]) }

$5 == "dom_map:" {
  events++
  d = F["dom"]
  byIommufd = $6 ~ /^\(iommufd_sw_msi_install/
  if (d in FREED) PENDING[d]++
  else if ((byIommufd || $6 ~ /^\(iommu_dma_(get_msi_page|sw_msi)/) && F["ret"] == "0") {
    if (byIommufd) bornAtIommufd(d)
    mapMsi(d, F["iova"], F["paddr"], F["prot"], byIommufd)
  }
  next
}

$5 == "write_msg:" {
  events++
  if (PROGRAMMED[F["desc"]] != "" && PROGRAMMED[F["desc"]] != F["alo"] && F["alo"] != "0x0") bad("msi-address-mismatch")
  next
}

$5 == "dom_map_nosync:" {
  if ($6 !~ /^\(iommu_map\+/) events++
  next
}

$5 == "prepare_msi:" { PREPARING[$1] = isPointer(F["dom"]) ? F["dom"] : ""; next }

$5 == "prepare_msi_ret:" {
  events++
  d = PREPARING[$1]; desc = F["desc"]
  delete PREPARING[$1]; delete PROGRAMMED[desc]
  if (d == "") next
  if (d in FREED) { bad("use-after-free"); next }
  ret = F["ret"]; owner = OWNER[d]
  expected = TYPE[d] == "0x4" || owner == "1" || owner == "2" || owner == "5" ? "0" : "-95"
  if (ret != expected && ret != "-12") bad("errno-mismatch")
  if (ret != "0") next
  if (F["shift"] == 0) { PROGRAMMED[desc] = F["msi_addr"]; next }
  size = 2 ^ F["shift"]; low = number(F["msi_addr"]) % size; iova = F["iova_pfn"] * size
  page = sprintf(" 0x%x=0x%x;", number(F["msi_addr"]) - low, iova)
  if (TYPE[d] != "0x40" && !index(PAGES[d], page)) {
    if (WHOLE[d]) bad("msi-iova-mismatch")
    PAGES[d] = PAGES[d] page
  }
  PROGRAMMED[desc] = sprintf("0x%x", iova + low)
  next
}

$5 == "group_set_domain:" {
  if (F["dtype"] == "0x1" && F["ctype"] == "5") bornAtIommufd(F["dom"])
  words(F["dom"], F["dtype"], F["ctype"]); words(F["old_dom"], F["old_dtype"], F["old_ctype"])
  next
}

$5 == "group_set_domain_ret:" {
  events++
  if (F["ret"] != "0") next
  d = F["cur_dom"]
  if (d in FREED) bad("use-after-free")
  leaveDomain(F["grp"])
  ON[F["grp"]] = d; ON_GENERATION[F["grp"]] = GENERATION[d]; ATTACHED[d]++
  next
}

$5 == "fd_sw_msi_inst_in:" || $5 == "fd_group_setup_msi:" { bornAtIommufd(F["dom"]); next }

$5 == "fd_paging_alloc:" {
  events++
  if (!isPointer(F["hwpt"]) || !isPointer(F["dom"])) next
  bornAtIommufd(F["dom"]); words(F["dom"], F["dtype"], F["ctype"])
  next
}

$5 == "domain_alloc_in:" {
  events++
  if (!isPointer(F["dom"])) next
  born(F["dom"], F["dtype"], F["ctype"])
  if (F["dtype"] != F["want"] || F["ctype"] != "0") bad("word-mismatch")
  next
}

$5 == "get_msi_cookie_ret:" || $5 == "get_dma_cookie_ret:" {
  events++
  d = F["dom"]; isMsi = $5 == "get_msi_cookie_ret:"; ret = F["ret"]
  if (d in FREED) { bad("use-after-free"); next }
  expected = OWNER[d] == "" ? ret : isMsi && TYPE[d] != "0x1" ? "-22" : OWNER[d] != "0" ? "-17" : "0"
  if (ret != expected && !(expected == "0" && (ret == "-12" || ret == "-19"))) {
    bad(ret != "0" ? "errno-mismatch" : (isMsi ? "get-msi-cookie" : "get-dma-cookie") (OWNER[d] == "5" ? "-on-iommufd" : "-existing-cookie"))
    OWNER[d] = F["ctype"]
  } else if (ret == "0") OWNER[d] = isMsi ? "2" : "1"
  if (ret == "0") { PAGES[d] = ""; MADE[d] = 0; delete PUT[d] }
  if (ret == "0" && isMsi) BASE[d] = number(F["base"])
  words(d, F["dtype"], F["ctype"])
  next
}

$5 == "put_msi_cookie:" || $5 == "put_dma_cookie:" {
  events++
  d = F["dom"]
  if (d in PUT) bad("put-cookie-twice")
  else if (OWNER[d] != "" && OWNER[d] != ($5 == "put_msi_cookie:" ? "2" : "1")) bad("put-cookie-kind-mismatch")
  PUT[d]
  next
}

$5 == "domain_free:" {
  events++
  d = F["dom"]
  if (F["dtype"] == "0x0" || F["dtype"] == "0x4") next
  if (d in FREED) { bad("domain-double-free"); next }
  words(d, F["dtype"], F["ctype"])
  if (ATTACHED[d] > 0) { bad("free-while-attached"); GENERATION[d]++ }
  FREED[d]; FREEING[$1] = d; delete PUT[d]
  next
}

$5 == "domain_free_ret:" {
  d = FREEING[$1]
  if (d != "" && OWNER[d] ~ /^[12]$/ && !(d in PUT)) bad("cookie-leaked-at-free")
  delete FREEING[$1]
  next
}

$5 == "dom_unmap:" {
  events++
  d = F["dom"]
  if (d in FREED) { bad("use-after-free"); next }
  if (PAGES[d] == "") next
  from = number(F["iova"]); to = from + number(F["size"])
  n = split(PAGES[d], PART, ";"); kept = ""
  for (i = 1; i < n; i++) {
    at = number(substr(PART[i], index(PART[i], "=") + 1))
    if (at >= to || from >= at + 4096) kept = kept PART[i] ";"
  }
  if (kept != PAGES[d]) { bad("msi-page-unmapped"); PAGES[d] = kept }
  next
}

$5 == "claim_group:" || $5 == "claim_device:" || $5 == "release_group:" || $5 == "release_device:" { events++ }

END {
  for (d in PENDING) illegal += PENDING[d]
  print "events=" events " illegal=" illegal
}
