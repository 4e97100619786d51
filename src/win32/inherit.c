/* SPDX-License-Identifier: MIT */
/* Handing an attachment on: children inherit handles at the values they have here. */
#include <inttypes.h>
#include <stdio.h>

#include "section.h"

/* ---- share ---- */

static int pass(HANDLE handle)
{
    if (SetHandleInformation(handle, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT))
        return SHMX_OK;
    return shmx_win32_error(GetLastError());
}

/* "shmx-SECTION-INDEX-PROCESS-ID". PROCESS tells an heir, which was given the handles, from the
 * process whose attachment's own they are. */
int shmx_os_share(struct shmx_attachment *attachment, char *token, size_t token_size)
{
    const struct shmx_win32_hold *hold = &attachment->os.hold;
    if (hold->section == NULL) /* a guest has nothing to hand on */
        return shmx_win32_error(ERROR_NOT_SUPPORTED);
    int status = pass(hold->section);
    if (status == SHMX_OK && hold->index != NULL)
        status = pass(hold->index);
    if (status == SHMX_OK)
        snprintf(token, token_size, "shmx-%" PRIx32 "-%" PRIx32 "-%lx-%016" PRIx64,
                 (uint32_t)(uintptr_t)hold->section, (uint32_t)(uintptr_t)hold->index,
                 (unsigned long)GetCurrentProcessId(), attachment->label.id);
    return status;
}

/* ---- adopt ---- */

struct token {
    uint32_t section, index, process;
    uint64_t id;
};

static int token_read(const char *text, struct token *token)
{
    int length = 0;
    int fields = sscanf(text, "shmx-%8" SCNx32 "-%8" SCNx32 "-%8" SCNx32 "-%16" SCNx64 "%n",
                        &token->section, &token->index, &token->process, &token->id, &length);
    return fields == 4 && text[length] == '\0' && token->section != 0 ? SHMX_OK : SHMX_EINVAL;
}

/* A handle of our own in place of the token's number. SHMX_ENOENT: it is not ours. */
static int copy_handle(uint32_t number, void **copy)
{
    HANDLE self = GetCurrentProcess();
    HANDLE given = (HANDLE)(uintptr_t)number;
    *copy = NULL;
    if (number == 0 || DuplicateHandle(self, given, self, copy, 0, FALSE, DUPLICATE_SAME_ACCESS))
        return SHMX_OK;
    int status = shmx_win32_error(GetLastError());
    return status == SHMX_EPROTO ? SHMX_ENOENT : status;
}

/* Map it, if it is what the token was made for. */
static int map_copy(struct shmx_attachment *attachment, const struct token *token, unsigned flags)
{
    int status = shmx_win32_enter(attachment, NULL, flags);
    if (status == SHMX_EPROTO && shmx_os_last_error() == ERROR_INVALID_HANDLE)
        return SHMX_ENOENT; /* a handle, but of something else */
    return status == SHMX_OK && attachment->label.id != token->id ? SHMX_ENOENT : status;
}

int shmx_os_adopt(struct shmx_attachment *attachment, const char *text, unsigned flags)
{
    struct token token;
    int status = token_read(text, &token);
    if (status != SHMX_OK)
        return status;
    attachment->data = NULL;
    attachment->os.hold = (struct shmx_win32_hold){NULL, NULL};
    status = copy_handle(token.section, &attachment->os.hold.section);
    if (status == SHMX_OK)
        status = copy_handle(token.index, &attachment->os.hold.index);
    if (status == SHMX_OK)
        status = map_copy(attachment, &token, flags);
    if (status != SHMX_OK) {
        shmx_win32_give_up(attachment);
        return status;
    }
    shmx_win32_begin(attachment, flags);
    struct shmx_win32_hold given = {(HANDLE)(uintptr_t)token.section,
                                    (HANDLE)(uintptr_t)token.index};
    if (token.process != GetCurrentProcessId())
        shmx_win32_let_go(&given); /* a token is good for one adoption */
    return SHMX_OK;
}
