# The audit of iommu-ledger as a gawk script: ftrace text of the own72n probes in, violations of the v7.3 design counted.
# What it follows, for each domain: who owns it, its words, its MSI pages, the groups that are on it, whether it is freed;
# for each MSI descriptor: the address that must be programmed. Illegal is what KERNEL.md section 8 calls a finding, and what
# contradicts the prediction (errno, words, IOVA, address). A refused attempt is not illegal: the kernel did its work.
# Usage: gawk -b -f audit.awk [-v show=1] FILE    (mawk runs it too)
# Speed: fields are compared as they stand ("dom=0x…", "ctype=2"), found by their distance from the end of the line, by name
# only where a probe was defined in another order; numbers are made only of MSI addresses, once each.
# Left out: fault handlers, SVA, claims, PASIDs, groups of several devices at hot plug.

BEGIN {
  # Distance of "dom=" from the last field, in the events that only show a domain's words.
  split("attach_dev 3 dev_set_domain 3 sw_msi 3 fd_sw_msi 3 get_msi_page 3 attach_group 7 attach_group_ret 3 detach_group 3 " \
    "attach_handle 3 detach_handle 3 replace_handle 3 fd_hwpt_attach 3 fd_hwpt_destroy 3 domain_alloc 3 default_alloc 3 " \
    "get_msi_cookie 3 get_dma_cookie 3 reserve_regions 3 dma_init_domain 4 fd_nested_alloc 3 fd_vnested_alloc 3", PAIR, " ")
  for (i = 1; i in PAIR; i += 2) SHOWS[PAIR[i] ":"] = PAIR[i + 1]
  split("domain_init tracing_mark_write t1_attach_group t1_attach_group_ret t1_detach_group fd_bind fd_unbind fd_attach fd_detach " \
    "fd_replace fd_hwpt_detach fd_hwpt_ioctl fd_destroy_ioctl fd_paging_destroy fd_sw_msi_get_map fd_sw_msi_install fd_sw_msi_ret " \
    "sw_msi_ret use_default unuse_default blocking_alloc setup_dma_ops probe_device release_dev", PAIR, " ")
  for (i = 1; i in PAIR; i++) SILENT[PAIR[i] ":"]
  events = illegal = 0
}

function bad(rule) {
  illegal++
  if (show) print rule ": " $0 > "/dev/stderr"
}

# The number that a 0x… text means; each text is converted once.
function number(text,    i, n) {
  if (text in NUMBER) return NUMBER[text]
  for (i = 3; i <= length(text); i++) n = n * 16 + index("123456789abcdef", substr(text, i, 1))
  return NUMBER[text] = n + 0
}

# Where the field is that begins with this name: at the place expected, else anywhere; 0 if nowhere.
function place(name, expected,    i, n) {
  n = length(name)
  if (expected > 5 && substr($expected, 1, n) == name) return expected
  for (i = 6; i <= NF; i++) if (substr($i, 1, n) == name) return i
  return 0
}

function value(name, expected,    i) {
  i = place(name, expected)
  return i ? substr($i, length(name) + 1) : ""
}

# NULL and error pointers have no words worth reading.
function isPointer(d) { return substr(d, 1, 10) == "dom=0xffff" && substr(d, 1, 18) != "dom=0xffffffffffff" }

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
  if (d in FREED || OWNER[d] == "") { delete PENDING[d]; born(d, "dtype=0x1", "ctype=5") }
}

# Checks the words of the domain in field i, whose names have a prefix of n characters; returns the domain, "" for NULL.
# What was seen counts from then on. Both types of a DMA domain are right: sysfs changes them in place. Freed memory says nothing.
function words(i, n,    d, type, owner) {
  d = substr($i, n + 1); type = substr($(i + 1), n + 1); owner = substr($(i + 2), n + 1)
  if (OWNER[d] == owner && TYPE[d] == type) return d
  if (!isPointer(d)) { delete OWNER[d]; delete TYPE[d]; return "" }
  if (d in FREED) return d
  if (OWNER[d] != "" && (OWNER[d] != owner || TYPE[d] type !~ /^dtype=0x(3dtype=0xb|bdtype=0x3)$/)) bad("word-mismatch")
  TYPE[d] = type; OWNER[d] = owner
  return d
}

# iommu_map of an MSI page: at most one violation, the first that applies.
function mapMsi(d, iova, paddr, prot, byIommufd,    at, base, owner) {
  at = number(iova); owner = OWNER[d]
  base = owner == "ctype=5" ? 134217728 : BASE[d]
  if (substr(paddr, length(paddr) - 2) != "000") bad("msi-phys-not-masked")
  else if (index(PAGES[d], " " paddr "=")) bad("msi-duplicate-doorbell")
  else if (index(PAGES[d], "=" iova ";")) bad("msi-iova-reused")
  else if ((owner == "ctype=5") != byIommufd) bad("msi-wrong-backend")
  else if (prot != (byIommufd ? "prot=0x13" : "prot=0x1a")) bad("msi-prot-mismatch")
  else if ((owner == "ctype=2" || owner == "ctype=5") && base != "" && (at < base || at >= base + 1048576)) bad("msi-iova-outside-window")
  else if (owner == "ctype=2" && base != "" && WHOLE[d] && at != base + MADE[d] * 4096) bad("msi-iova-mismatch")
  PAGES[d] = PAGES[d] " " paddr "=" iova ";"
  MADE[d]++
}

function leaveDomain(group) {
  if (group in ON && GENERATION[ON[group]] == ON_GENERATION[group]) ATTACHED[ON[group]]--
  delete ON[group]
}

# A task name with blanks in it: the fields are counted without it.
$2 !~ /^\[/ {
  if (!match($0, /-[0-9]+ +\[[0-9]+\] /)) next
  $0 = "task" substr($0, RSTART)
}

$6 == "IOMMU:" {
  if ($5 == "remove_device_from_group:") leaveDomain("grp=" substr($7, 9))
  next
}

$5 == "dom_map:" {
  events++
  if (!($6 in BACKEND)) BACKEND[$6] = $6 ~ /^\(iommufd_sw_msi_install/ ? "iommufd" : $6 ~ /^\(iommu_dma_(get_msi_page|sw_msi)/ ? "dma" : ""
  d = $(i = NF - 4)
  if (substr(d, 1, 4) != "dom=") d = $(i = place("dom="))
  if (d in FREED) { PENDING[d]++; PENDING_LINE[d] = $0 }
  else if (BACKEND[$6] != "" && $(i - 1) == "ret=0") {
    if (BACKEND[$6] == "iommufd") bornAtIommufd(d)
    mapMsi(d, value("iova=", i + 1), value("paddr=", i + 2), $place("prot=", i + 4), BACKEND[$6] == "iommufd")
  }
  next
}

$5 == "write_msg:" {
  events++
  if (PROGRAMMED[$(NF - 6)] == $(NF - 2)) next
  desc = $place("desc=", NF - 6); alo = $place("alo=", NF - 2)
  if (PROGRAMMED[desc] != "" && PROGRAMMED[desc] != alo && alo != "alo=0x0") bad("msi-address-mismatch")
  next
}

$5 == "dom_map_nosync:" {
  if ($6 !~ /^\(iommu_map\+/) events++
  next
}

$5 in SHOWS {
  i = NF - SHOWS[$5]
  if (OWNER[$i] != $(i + 2) || TYPE[$i] != $(i + 1)) { i = place("dom=", i); if (i) words(i, 0) }
  if ($5 == "attach_group:") { i = place("old_dom=", NF - 3); if (i) words(i, 4) }
  next
}

$5 in SILENT { next }

$5 == "prepare_msi:" {
  i = place("dom=", NF - 2)
  PREPARING[$1] = i ? words(i, 0) : ""
  next
}

$5 == "prepare_msi_ret:" {
  events++
  d = PREPARING[$1]; desc = $place("desc=", NF - 4)
  delete PREPARING[$1]; delete PROGRAMMED[desc]
  if (d == "") next
  if (d in FREED) { bad("use-after-free"); next }
  ret = value("ret=", NF - 6); owner = OWNER[d]
  expected = TYPE[d] == "dtype=0x4" || owner == "ctype=1" || owner == "ctype=2" || owner == "ctype=5" ? "0" : "-95"
  if (ret != expected && ret != "-12") bad("errno-mismatch")
  if (ret != "0") next
  msi = value("msi_addr=", NF - 2); shift = value("shift=", NF)
  if (shift == 0) { PROGRAMMED[desc] = "alo=" msi; next }
  size = 2 ^ shift; low = number(msi) % size; iova = value("iova_pfn=", NF - 1) * size
  page = sprintf(" 0x%x=0x%x;", number(msi) - low, iova)
  if (TYPE[d] != "dtype=0x40" && !index(PAGES[d], page)) {
    if (WHOLE[d]) bad("msi-iova-mismatch")
    PAGES[d] = PAGES[d] page
  }
  PROGRAMMED[desc] = sprintf("alo=0x%x", iova + low)
  next
}

$5 == "group_set_domain:" {
  i = place("dom=", NF - 7)
  if ($(i + 1) == "dtype=0x1" && $(i + 2) == "ctype=5") bornAtIommufd($i)
  words(i, 0); words(place("old_dom=", NF - 3), 4)
  next
}

$5 == "group_set_domain_ret:" {
  events++
  d = words(place("cur_dom=", NF - 3), 4)
  if ($place("ret=", NF - 5) != "ret=0") next
  if (d in FREED) bad("use-after-free")
  group = $place("grp=", NF - 4)
  leaveDomain(group)
  ON[group] = d; ON_GENERATION[group] = GENERATION[d]; ATTACHED[d]++
  next
}

$5 == "detach_group_ret:" { words(place("cur_dom=", NF - 3), 4); next }

$5 == "setup_default:" || $5 == "setup_default_ret:" { words(place("def_dom=", NF - 3), 4); next }

$5 == "fd_sw_msi_inst_in:" || $5 == "fd_group_setup_msi:" { bornAtIommufd($place("dom=", NF - 5 * ($5 == "fd_sw_msi_inst_in:"))); next }

$5 == "fd_paging_alloc:" {
  events++
  i = place("dom=", NF - 4)
  if (!isPointer("dom=" value("hwpt=", NF - 6)) || !isPointer($i)) next
  bornAtIommufd($i); words(i, 0)
  next
}

$5 == "domain_alloc_in:" {
  events++
  i = place("dom=", NF - 3)
  if (!isPointer($i)) next
  born($i, $(i + 1), $(i + 2))
  if (substr($(i + 1), 2) != "type=" value("want=", i - 2) || $(i + 2) != "ctype=0") bad("word-mismatch")
  next
}

$5 == "get_msi_cookie_ret:" || $5 == "get_dma_cookie_ret:" {
  events++
  i = place("dom=", NF - 3); d = $i; isMsi = $5 == "get_msi_cookie_ret:"
  if (d in FREED) { bad("use-after-free"); next }
  ret = value("ret=", i - 1 - isMsi)
  expected = OWNER[d] == "" ? ret : isMsi && TYPE[d] != "dtype=0x1" ? "-22" : OWNER[d] != "ctype=0" ? "-17" : "0"
  if (ret != expected && !(expected == "0" && (ret == "-12" || ret == "-19"))) {
    bad(ret != "0" ? "errno-mismatch" : (isMsi ? "get-msi-cookie" : "get-dma-cookie") (OWNER[d] == "ctype=5" ? "-on-iommufd" : "-existing-cookie"))
    OWNER[d] = $(i + 2)
  } else if (ret == "0") OWNER[d] = isMsi ? "ctype=2" : "ctype=1"
  if (ret == "0") { PAGES[d] = ""; MADE[d] = 0; delete PUT[d] }
  if (ret == "0" && isMsi) BASE[d] = number(value("base=", i - 1))
  words(i, 0)
  next
}

$5 == "put_msi_cookie:" || $5 == "put_dma_cookie:" {
  events++
  d = $place("dom=", NF - 3)
  if (d in PUT) bad("put-cookie-twice")
  else if (OWNER[d] != "" && OWNER[d] != ($5 == "put_msi_cookie:" ? "ctype=2" : "ctype=1")) bad("put-cookie-kind-mismatch")
  PUT[d]
  next
}

$5 == "domain_free:" {
  events++
  i = place("dom=", NF - 3); d = $i
  if ($(i + 1) == "dtype=0x0" || $(i + 1) == "dtype=0x4") next
  if (d in FREED) { bad("domain-double-free"); next }
  words(i, 0)
  if (ATTACHED[d] > 0) { bad("free-while-attached"); GENERATION[d]++ }
  FREED[d]; FREEING[$1] = d; delete PUT[d]
  next
}

$5 == "domain_free_ret:" {
  d = FREEING[$1]
  if (d != "" && OWNER[d] ~ /^ctype=[12]$/ && !(d in PUT)) bad("cookie-leaked-at-free")
  delete FREEING[$1]
  next
}

$5 == "dom_unmap:" {
  events++
  i = place("dom=", NF - 2); d = $i
  if (d in FREED) { bad("use-after-free"); next }
  if (PAGES[d] == "") next
  from = number(value("iova=", i + 1)); to = from + number(value("size=", i + 2))
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
  for (d in PENDING) {
    illegal += PENDING[d]
    if (show) print "use-after-free: " PENDING_LINE[d] > "/dev/stderr"
  }
  print "events=" events " illegal=" illegal
}
