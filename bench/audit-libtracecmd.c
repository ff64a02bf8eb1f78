/*
 * The audit of iommu-ledger over a trace.dat file, in C on libtracecmd: merged events in, violations of the v7.3 design counted.
 * The rules are those of audit.awk beside it, event for event. Fields are looked up once for each event of the file
 * (tep_find_field), then read from the record where they lie; domains, MSI descriptors, groups and tasks are in hash tables.
 * Build: cc -O2 -o audit-libtracecmd audit-libtracecmd.c $(pkg-config --cflags --libs libtracecmd)
 * Usage: audit-libtracecmd [-v] FILE
 * Left out: fault handlers, SVA, claims, PASIDs, IOVAs per iommufd fd, groups of several devices at hot plug; files of the
 * other endianness.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <trace-cmd.h>

typedef uint64_t u64;
typedef uint32_t u32;

enum { PAGE_SIZE = 4096, SW_MSI_BASE = 0x8000000, SW_MSI_SIZE = 0x100000 };
enum { OWNER_UNKNOWN = -1, NONE = 0, DMA_IOVA = 1, DMA_MSI = 2, IOMMUFD = 5 };
enum { BLOCKED = 0, UNMANAGED = 1, DMA = 3, IDENTITY = 4, DMA_FQ = 0xb, PLATFORM = 0x40 };

/* ---- hash tables: open addressing, keys are never taken out ------------------------------------------------------ */

struct slot { u64 key; void *value; };
struct table { struct slot *slots; u32 bits, used; size_t size; };

static void *alloc(size_t n, size_t size)
{
	void *p = calloc(n, size);

	if (!p) {
		fprintf(stderr, "out of memory\n");
		exit(3);
	}
	return p;
}

static struct slot *slot_of(struct slot *slots, u32 bits, u64 key)
{
	u64 at = key * 0x9e3779b97f4a7c15ull >> (64 - bits);

	while (slots[at].value && slots[at].key != key)
		at = (at + 1) & ((1ull << bits) - 1);
	return &slots[at];
}

static void table_init(struct table *t, size_t size)
{
	*t = (struct table){ .slots = alloc(1024, sizeof(struct slot)), .bits = 10, .size = size };
}

static void *get(const struct table *t, u64 key)
{
	return slot_of(t->slots, t->bits, key)->value;
}

/* The value of this key; all zero when it is new. */
static void *make(struct table *t, u64 key)
{
	struct slot *s = slot_of(t->slots, t->bits, key);

	if (s->value)
		return s->value;
	if (++t->used * 2 > 1u << t->bits) {
		struct slot *more = alloc(2ull << t->bits, sizeof(*more));

		for (u64 i = 0; i < 1ull << t->bits; i++)
			if (t->slots[i].value)
				*slot_of(more, t->bits + 1, t->slots[i].key) = t->slots[i];
		free(t->slots);
		t->slots = more;
		t->bits++;
		s = slot_of(t->slots, t->bits, key);
	}
	s->key = key;
	return s->value = alloc(1, t->size);
}

/* ---- what is known ----------------------------------------------------------------------------------------------- */

struct page { u64 paddr, iova; };

struct domain {
	u32 type;
	int owner;
	bool seen, freed, put, has_base, whole;
	u32 generation, pending;
	int attached;
	u64 base, made;
	struct page *pages;
	u32 npages, room;
};

struct desc { u64 address; bool programmed; };
struct group { struct domain *on; u32 generation; };
struct task { u64 preparing; struct domain *freeing; };

static struct table domains, descs, groups, tasks;
static u64 events, illegal;
static bool show;

static void bad(const char *rule)
{
	illegal++;
	if (show)
		fprintf(stderr, "%s\n", rule);
}

/* NULL and error pointers have no words worth reading. */
static bool is_pointer(u64 d)
{
	return d >> 48 == 0xffff && d >> 16 != 0xffffffffffffull;
}

static struct domain *domain(u64 at)
{
	struct domain *d = make(&domains, at);

	if (!d->seen) {
		d->seen = true;
		d->owner = OWNER_UNKNOWN;
	}
	return d;
}

static void born(struct domain *d, u32 type, int owner)
{
	illegal += d->pending;
	d->pending = 0;
	d->freed = d->put = d->has_base = false;
	d->type = type;
	d->owner = owner;
	d->npages = d->made = d->attached = 0;
	d->whole = true;
	d->generation++;
}

/* iommufd's domains come straight from the driver: the first event that names one is its birth. */
static void born_at_iommufd(struct domain *d)
{
	if (d->freed || d->owner == OWNER_UNKNOWN) {
		d->pending = 0;
		born(d, UNMANAGED, IOMMUFD);
	}
}

/* Both types of a DMA domain are right, and freed memory says nothing. */
static void words(u64 at, u32 type, int owner)
{
	struct domain *d;

	if (!is_pointer(at))
		return;
	d = domain(at);
	if (d->freed)
		return;
	if (d->owner != OWNER_UNKNOWN &&
	    (d->owner != owner || (d->type != type && !(d->type == DMA && type == DMA_FQ) && !(d->type == DMA_FQ && type == DMA))))
		bad("word-mismatch");
	d->type = type;
	d->owner = owner;
}

static void add_page(struct domain *d, u64 paddr, u64 iova)
{
	if (d->npages == d->room) {
		d->room = d->room ? d->room * 2 : 4;
		d->pages = realloc(d->pages, d->room * sizeof(*d->pages));
		if (!d->pages)
			exit(3);
	}
	d->pages[d->npages++] = (struct page){ paddr, iova };
}

/* iommu_map of an MSI page: at most one violation, the first that applies. */
static void map_msi(struct domain *d, u64 iova, u64 paddr, u32 prot, bool by_iommufd)
{
	bool has_base = d->owner == IOMMUFD || d->has_base, listed = false, reused = false;
	u64 base = d->owner == IOMMUFD ? SW_MSI_BASE : d->base;

	for (u32 i = 0; i < d->npages; i++) {
		listed |= d->pages[i].paddr == paddr;
		reused |= d->pages[i].iova == iova;
	}
	if (paddr & (PAGE_SIZE - 1))
		bad("msi-phys-not-masked");
	else if (listed)
		bad("msi-duplicate-doorbell");
	else if (reused)
		bad("msi-iova-reused");
	else if ((d->owner == IOMMUFD) != by_iommufd)
		bad("msi-wrong-backend");
	else if (prot != (by_iommufd ? 0x13u : 0x1au))
		bad("msi-prot-mismatch");
	else if ((d->owner == DMA_MSI || d->owner == IOMMUFD) && has_base && (iova < base || iova >= base + SW_MSI_SIZE))
		bad("msi-iova-outside-window");
	else if (d->owner == DMA_MSI && has_base && d->whole && iova != base + d->made * PAGE_SIZE)
		bad("msi-iova-mismatch");
	add_page(d, paddr, iova);
	d->made++;
}

static void leave_domain(u32 id)
{
	struct group *g = get(&groups, id);

	if (!g || !g->on)
		return;
	if (g->on->generation == g->generation)
		g->on->attached--;
	g->on = NULL;
}

/* ---- events of the file ------------------------------------------------------------------------------------------ */

enum field_name {
	RET, DOM, DTYPE, CTYPE, OLD_DOM, OLD_DTYPE, OLD_CTYPE, CUR_DOM, CUR_DTYPE, CUR_CTYPE, DEF_DOM, DEF_DTYPE, DEF_CTYPE,
	GRP, GID, BASE, IOVA, PADDR, SIZE, PROT, DESC, MSI_ADDR, IOVA_PFN, SHIFT, ALO, AHI, HWPT, WANT, RET_IP, FIELDS
};

static const char *const field_names[FIELDS] = {
	"ret", "dom", "dtype", "ctype", "old_dom", "old_dtype", "old_ctype", "cur_dom", "cur_dtype", "cur_ctype",
	"def_dom", "def_dtype", "def_ctype", "grp", "gid", "base", "iova", "paddr", "size", "prot", "desc", "msi_addr",
	"iova_pfn", "shift", "alo", "ahi", "hwpt", "want", "__probe_ret_ip",
};

enum kind {
	SHOWS, DOM_MAP, DOM_MAP_NOSYNC, DOM_UNMAP, WRITE_MSG, PREPARE_MSI, PREPARE_MSI_RET, GROUP_SET, GROUP_SET_RET, FD_NAMES,
	FD_PAGING_ALLOC, DOMAIN_ALLOC_IN, GET_MSI_RET, GET_DMA_RET, PUT_MSI, PUT_DMA, DOMAIN_FREE, DOMAIN_FREE_RET, COUNTED,
	DOMAIN_INIT, REMOVE_DEVICE
};

static const struct { const char *name; enum kind kind; } kinds[] = {
	{ "dom_map", DOM_MAP }, { "dom_map_nosync", DOM_MAP_NOSYNC }, { "dom_unmap", DOM_UNMAP }, { "write_msg", WRITE_MSG },
	{ "prepare_msi", PREPARE_MSI }, { "prepare_msi_ret", PREPARE_MSI_RET }, { "group_set_domain", GROUP_SET },
	{ "group_set_domain_ret", GROUP_SET_RET }, { "fd_sw_msi_inst_in", FD_NAMES }, { "fd_group_setup_msi", FD_NAMES },
	{ "fd_paging_alloc", FD_PAGING_ALLOC }, { "domain_alloc_in", DOMAIN_ALLOC_IN }, { "get_msi_cookie_ret", GET_MSI_RET },
	{ "get_dma_cookie_ret", GET_DMA_RET }, { "put_msi_cookie", PUT_MSI }, { "put_dma_cookie", PUT_DMA },
	{ "domain_free", DOMAIN_FREE }, { "domain_free_ret", DOMAIN_FREE_RET }, { "claim_group", COUNTED },
	{ "claim_device", COUNTED }, { "release_group", COUNTED }, { "release_device", COUNTED }, { "domain_init", DOMAIN_INIT },
	{ "remove_device_from_group", REMOVE_DEVICE },
};

struct place { uint16_t offset; uint8_t size; bool is_signed; };

/* An event of the file. Events that neither are a rule's business nor show a domain's words have none. */
struct event {
	enum kind kind;
	bool shows_dom, shows_old, shows_cur, shows_def;
	struct place at[FIELDS];
};

static struct event *by_id[65536];

static u64 number(const struct event *e, const char *data, enum field_name f)
{
	const struct place p = e->at[f];
	const char *at = data + p.offset;

	switch (p.size) {
	case 8: { u64 n; memcpy(&n, at, 8); return n; }
	case 4: { u32 n; memcpy(&n, at, 4); return p.is_signed ? (u64)(int32_t)n : n; }
	case 2: { uint16_t n; memcpy(&n, at, 2); return p.is_signed ? (u64)(int16_t)n : n; }
	case 1: return p.is_signed ? (u64)(int8_t)*at : (uint8_t)*at;
	default: return 0;
	}
}

static bool reads(struct event *e, enum field_name dom)
{
	return e->at[dom].size && e->at[dom + 1].size && e->at[dom + 2].size;
}

static void learn(struct tep_event *event)
{
	struct event *e = alloc(1, sizeof(*e));

	if (event->id < 0 || event->id > 65535)
		return;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (!strcmp(event->name, kinds[i].name))
			e->kind = kinds[i].kind;
	for (int f = 0; f < FIELDS; f++) {
		struct tep_format_field *field = tep_find_field(event, field_names[f]);

		if (field && field->size <= 8 && !(field->flags & (TEP_FIELD_IS_STRING | TEP_FIELD_IS_DYNAMIC)))
			e->at[f] = (struct place){ field->offset, field->size, !!(field->flags & TEP_FIELD_IS_SIGNED) };
	}
	switch (e->kind) {
	case DOMAIN_ALLOC_IN: case DOMAIN_INIT: case FD_PAGING_ALLOC: case GET_MSI_RET: case GET_DMA_RET: case GROUP_SET:
	case DOMAIN_FREE: case PUT_MSI: case PUT_DMA:
		break;
	default:
		e->shows_dom = reads(e, DOM);
	}
	e->shows_old = e->kind != GROUP_SET && reads(e, OLD_DOM);
	e->shows_cur = reads(e, CUR_DOM);
	e->shows_def = reads(e, DEF_DOM);
	if ((e->kind == SHOWS || e->kind == DOMAIN_INIT) && !e->shows_dom && !e->shows_old && !e->shows_cur && !e->shows_def)
		free(e);
	else
		by_id[event->id] = e;
}

/* Who called, as far as it matters. Call sites are few: each is looked up in kallsyms once. */
enum caller { OTHER = 1, IOMMU_MAP, DMA_MSI_PAGE, IOMMUFD_MSI_PAGE };

static enum caller caller(struct tep_handle *tep, u64 ip)
{
	static struct { u64 ip; enum caller caller; } known[256];
	u32 at = (ip * 0x9e3779b97f4a7c15ull) >> 56;

	if (known[at].ip != ip || !known[at].caller) {
		const char *name = tep_find_function(tep, ip) ?: "";

		known[at].ip = ip;
		known[at].caller = !strncmp(name, "iommufd_sw_msi_install", 22) ? IOMMUFD_MSI_PAGE :
			!strncmp(name, "iommu_dma_get_msi_page", 22) || !strncmp(name, "iommu_dma_sw_msi", 16) ? DMA_MSI_PAGE :
			!strcmp(name, "iommu_map") ? IOMMU_MAP : OTHER;
	}
	return known[at].caller;
}

#define N(field) number(e, data, field)

static void mapped(struct tep_handle *tep, const struct event *e, const char *data)
{
	struct domain *d = domain(N(DOM));
	enum caller by;

	if (d->freed) {
		d->pending++;
		return;
	}
	by = caller(tep, N(RET_IP));
	if ((by != IOMMUFD_MSI_PAGE && by != DMA_MSI_PAGE) || N(RET))
		return;
	if (by == IOMMUFD_MSI_PAGE)
		born_at_iommufd(d);
	map_msi(d, N(IOVA), N(PADDR), N(PROT), by == IOMMUFD_MSI_PAGE);
}

static void unmapped(const struct event *e, const char *data)
{
	struct domain *d = domain(N(DOM));
	u64 from = N(IOVA), to = from + N(SIZE);
	u32 kept = 0;

	if (d->freed) {
		bad("use-after-free");
		return;
	}
	for (u32 i = 0; i < d->npages; i++)
		if (d->pages[i].iova >= to || from >= d->pages[i].iova + PAGE_SIZE)
			d->pages[kept++] = d->pages[i];
	if (kept != d->npages)
		bad("msi-page-unmapped");
	d->npages = kept;
}

static void prepared(const struct event *e, const char *data, int pid)
{
	struct task *t = make(&tasks, pid);
	struct desc *desc = make(&descs, N(DESC));
	u64 at = t->preparing, size, low, iova;
	bool listed = false;
	struct domain *d;
	int ret, expected;

	t->preparing = 0;
	desc->programmed = false;
	if (!at)
		return;
	d = domain(at);
	if (d->freed) {
		bad("use-after-free");
		return;
	}
	ret = N(RET);
	expected = d->type == IDENTITY || d->owner == DMA_IOVA || d->owner == DMA_MSI || d->owner == IOMMUFD ? 0 : -EOPNOTSUPP;
	if (ret != expected && ret != -ENOMEM)
		bad("errno-mismatch");
	if (ret)
		return;
	desc->programmed = true;
	if (!N(SHIFT)) {
		desc->address = N(MSI_ADDR);
		return;
	}
	size = 1ull << N(SHIFT);
	low = N(MSI_ADDR) & (size - 1);
	iova = N(IOVA_PFN) << N(SHIFT);
	for (u32 i = 0; i < d->npages; i++)
		listed |= d->pages[i].paddr == N(MSI_ADDR) - low && d->pages[i].iova == iova;
	if (d->type != PLATFORM && !listed) {
		if (d->whole)
			bad("msi-iova-mismatch");
		add_page(d, N(MSI_ADDR) - low, iova);
	}
	desc->address = iova + low;
}

static void got_cookie(const struct event *e, const char *data, bool is_msi)
{
	struct domain *d = domain(N(DOM));
	int ret = N(RET), expected;

	if (d->freed) {
		bad("use-after-free");
		return;
	}
	expected = d->owner == OWNER_UNKNOWN ? ret : is_msi && d->type != UNMANAGED ? -EINVAL : d->owner != NONE ? -EEXIST : 0;
	if (ret != expected && !(expected == 0 && (ret == -ENOMEM || ret == -ENODEV))) {
		bad(ret ? "errno-mismatch" : is_msi ? "get-msi-cookie" : "get-dma-cookie");
		d->owner = N(CTYPE);
	} else if (!ret) {
		d->owner = is_msi ? DMA_MSI : DMA_IOVA;
	}
	if (!ret) {
		d->npages = d->made = 0;
		d->put = false;
		if (is_msi) {
			d->base = N(BASE);
			d->has_base = true;
		}
	}
	words(N(DOM), N(DTYPE), N(CTYPE));
}

static void put_cookie(const struct event *e, const char *data, int owner)
{
	struct domain *d = domain(N(DOM));

	if (d->put)
		bad("put-cookie-twice");
	else if (d->owner != OWNER_UNKNOWN && d->owner != owner)
		bad("put-cookie-kind-mismatch");
	d->put = true;
}

static void freed(const struct event *e, const char *data, int pid)
{
	struct domain *d = domain(N(DOM));

	if (N(DTYPE) == BLOCKED || N(DTYPE) == IDENTITY)
		return;
	if (d->freed) {
		bad("domain-double-free");
		return;
	}
	words(N(DOM), N(DTYPE), N(CTYPE));
	if (d->attached > 0) {
		bad("free-while-attached");
		d->generation++;
	}
	d->freed = true;
	d->put = false;
	((struct task *)make(&tasks, pid))->freeing = d;
}

static int take(struct tracecmd_input *input, struct tep_record *record, int cpu, void *tep)
{
	const char *data = record->data;
	const struct event *e;
	struct domain *d;
	struct desc *desc;
	struct group *g;
	struct task *t;
	uint16_t id;
	int pid;
	u64 n;

	(void)input;
	(void)cpu;
	memcpy(&id, data, 2);
	e = by_id[id];
	if (!e)
		return 0;
	memcpy(&pid, data + 4, 4);
	if (e->shows_dom)
		words(N(DOM), N(DTYPE), N(CTYPE));
	if (e->shows_old)
		words(N(OLD_DOM), N(OLD_DTYPE), N(OLD_CTYPE));
	if (e->shows_cur)
		words(N(CUR_DOM), N(CUR_DTYPE), N(CUR_CTYPE));
	if (e->shows_def)
		words(N(DEF_DOM), N(DEF_DTYPE), N(DEF_CTYPE));
	switch (e->kind) {
	case DOM_MAP:
		events++;
		mapped(tep, e, data);
		break;
	case DOM_MAP_NOSYNC:
		events += caller(tep, N(RET_IP)) != IOMMU_MAP;
		break;
	case DOM_UNMAP:
		events++;
		unmapped(e, data);
		break;
	case WRITE_MSG:
		events++;
		desc = get(&descs, N(DESC));
		n = N(ALO) | N(AHI) << 32;
		if (desc && desc->programmed && desc->address != n && n)
			bad("msi-address-mismatch");
		break;
	case PREPARE_MSI:
		t = make(&tasks, pid);
		t->preparing = is_pointer(N(DOM)) ? N(DOM) : 0;
		break;
	case PREPARE_MSI_RET:
		events++;
		prepared(e, data, pid);
		break;
	case GROUP_SET:
		if (N(DTYPE) == UNMANAGED && N(CTYPE) == IOMMUFD)
			born_at_iommufd(domain(N(DOM)));
		words(N(DOM), N(DTYPE), N(CTYPE));
		words(N(OLD_DOM), N(OLD_DTYPE), N(OLD_CTYPE));
		break;
	case GROUP_SET_RET:
		events++;
		if (N(RET))
			break;
		d = domain(N(CUR_DOM));
		if (d->freed)
			bad("use-after-free");
		leave_domain(N(GRP));
		g = make(&groups, N(GRP));
		g->on = d;
		g->generation = d->generation;
		d->attached++;
		break;
	case FD_NAMES:
		born_at_iommufd(domain(N(DOM)));
		break;
	case FD_PAGING_ALLOC:
		events++;
		if (!is_pointer(N(HWPT)) || !is_pointer(N(DOM)))
			break;
		born_at_iommufd(domain(N(DOM)));
		words(N(DOM), N(DTYPE), N(CTYPE));
		break;
	case DOMAIN_ALLOC_IN:
		events++;
		if (!is_pointer(N(DOM)))
			break;
		born(domain(N(DOM)), N(DTYPE), N(CTYPE));
		if (N(DTYPE) != N(WANT) || N(CTYPE) != NONE)
			bad("word-mismatch");
		break;
	case GET_MSI_RET:
	case GET_DMA_RET:
		events++;
		got_cookie(e, data, e->kind == GET_MSI_RET);
		break;
	case PUT_MSI:
	case PUT_DMA:
		events++;
		put_cookie(e, data, e->kind == PUT_MSI ? DMA_MSI : DMA_IOVA);
		break;
	case DOMAIN_FREE:
		events++;
		freed(e, data, pid);
		break;
	case DOMAIN_FREE_RET:
		t = get(&tasks, pid);
		d = t ? t->freeing : NULL;
		if (!d)
			break;
		if ((d->owner == DMA_IOVA || d->owner == DMA_MSI) && !d->put)
			bad("cookie-leaked-at-free");
		t->freeing = NULL;
		break;
	case REMOVE_DEVICE:
		leave_domain(N(GID));
		break;
	case COUNTED:
		events++;
		break;
	case SHOWS:
	case DOMAIN_INIT:
		break;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct tracecmd_input *input;
	struct tep_event **list;
	struct tep_handle *tep;

	if (argc > 2 && !strcmp(argv[1], "-v"))
		show = true;
	if (argc != 2 + show) {
		fprintf(stderr, "usage: %s [-v] FILE\n", argv[0]);
		return 2;
	}
	input = tracecmd_open(argv[argc - 1], TRACECMD_FL_LOAD_NO_PLUGINS);
	if (!input) {
		fprintf(stderr, "%s: libtracecmd cannot read it\n", argv[argc - 1]);
		return 3;
	}
	tep = tracecmd_get_tep(input);
	if (tep_is_file_bigendian(tep) != tep_is_local_bigendian(tep)) {
		fprintf(stderr, "%s: recorded on a machine of the other endianness\n", argv[argc - 1]);
		return 3;
	}
	table_init(&domains, sizeof(struct domain));
	table_init(&descs, sizeof(struct desc));
	table_init(&groups, sizeof(struct group));
	table_init(&tasks, sizeof(struct task));
	list = tep_list_events(tep, TEP_EVENT_SORT_ID);
	for (int i = 0; list && list[i]; i++)
		learn(list[i]);
	if (tracecmd_iterate_events(input, NULL, 0, take, tep) < 0) {
		fprintf(stderr, "%s: cannot be read to its end\n", argv[argc - 1]);
		return 3;
	}
	for (u64 i = 0; i < 1ull << domains.bits; i++)
		if (domains.slots[i].value)
			illegal += ((struct domain *)domains.slots[i].value)->pending;
	printf("events=%llu illegal=%llu\n", (unsigned long long)events, (unsigned long long)illegal);
	tracecmd_close(input);
	return 0;
}
