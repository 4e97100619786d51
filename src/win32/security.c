/* SPDX-License-Identifier: MIT */
/* The rights of each user: access control lists that name the creating user, and perhaps everyone.
 */
#include <stdio.h>

#include "win32.h"

/* Of any kind of object. Not GENERIC_ALL, which is made into rights at creation only. */
#define ALL_RIGHTS (STANDARD_RIGHTS_ALL | SPECIFIC_RIGHTS_ALL)

/* A SID is at most 68 bytes long; both structs of the system are a pointer to one and a word. */
struct user {
    union {
        TOKEN_USER user;
        DWORD room[32];
    } token;
    union {
        TOKEN_MANDATORY_LABEL label;
        DWORD room[32];
    } integrity;
};

static int user_read(struct user *user)
{
    HANDLE token;
    DWORD used;
    if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token))
        return shmx_win32_error(GetLastError());
    int status = SHMX_OK;
    if (!GetTokenInformation(token, TokenUser, &user->token, sizeof user->token, &used) ||
        !GetTokenInformation(token, TokenIntegrityLevel, &user->integrity, sizeof user->integrity,
                             &used))
        status = shmx_win32_error(GetLastError());
    CloseHandle(token);
    return status;
}

/* The user of a process never changes. */
static const struct user *user_of_process(int *status)
{
    static struct user user;
    static SRWLOCK lock = SRWLOCK_INIT;
    static bool known;
    AcquireSRWLockExclusive(&lock);
    *status = known ? SHMX_OK : user_read(&user);
    known = *status == SHMX_OK;
    ReleaseSRWLockExclusive(&lock);
    return &user;
}

/* A process can be elevated, and then has a higher integrity level than the user's others, who may
 * not write to what it makes unless that has their level, medium, and says so (Microsoft, Mandatory
 * Integrity Control). A section made by a process below medium has that process's level. */
static bool add_label(struct shmx_win32_security *security, const struct user *user)
{
    SID medium = {
        SID_REVISION, 1, {SECURITY_MANDATORY_LABEL_AUTHORITY}, {SECURITY_MANDATORY_MEDIUM_RID}};
    ACL *list = (ACL *)security->label;
    PSID level = user->integrity.label.Label.Sid;
    if (*GetSidSubAuthority(level, 0) < SECURITY_MANDATORY_MEDIUM_RID)
        return true;
    return InitializeAcl(list, sizeof security->label, ACL_REVISION) &&
           AddMandatoryAce(list, ACL_REVISION, 0, SYSTEM_MANDATORY_LABEL_NO_WRITE_UP, &medium) &&
           SetSecurityDescriptorSacl(&security->descriptor, TRUE, list, FALSE);
}

/* `sealed`: nobody, not even the user, may do more than everyone may. */
static int build(struct shmx_win32_security *security, bool sealed, DWORD everyone)
{
    SID world = {SID_REVISION, 1, {SECURITY_WORLD_SID_AUTHORITY}, {SECURITY_WORLD_RID}};
    ACL *list = (ACL *)security->list;
    SECURITY_DESCRIPTOR *descriptor = &security->descriptor;
    int status;
    const struct user *user = user_of_process(&status);
    if (status != SHMX_OK)
        return status;
    bool good = InitializeAcl(list, sizeof security->list, ACL_REVISION);
    if (good && !sealed)
        good = AddAccessAllowedAce(list, ACL_REVISION, ALL_RIGHTS, user->token.user.User.Sid);
    if (good && everyone != 0)
        good = AddAccessAllowedAce(list, ACL_REVISION, everyone, &world);
    good = good && InitializeSecurityDescriptor(descriptor, SECURITY_DESCRIPTOR_REVISION) &&
           SetSecurityDescriptorControl(descriptor, SE_DACL_PROTECTED, SE_DACL_PROTECTED) &&
           SetSecurityDescriptorDacl(descriptor, TRUE, list, FALSE) && add_label(security, user);
    if (!good)
        return shmx_win32_error(GetLastError());
    security->attributes.nLength = sizeof security->attributes;
    security->attributes.lpSecurityDescriptor = descriptor;
    security->attributes.bInheritHandle = FALSE;
    return SHMX_OK;
}

int shmx_win32_security(struct shmx_win32_security *security, DWORD everyone)
{
    return build(security, false, everyone);
}

int shmx_win32_security_sealed(struct shmx_win32_security *security)
{
    return build(security, true, SHMX_WIN32_SEALED_RIGHTS);
}

DWORD shmx_win32_section_rights(unsigned flags)
{
    if ((flags & SHMX_OTHERS_WRITE) != 0)
        return SECTION_QUERY | SECTION_MAP_READ | SECTION_MAP_WRITE;
    return (flags & SHMX_OTHERS_READ) != 0 ? SECTION_QUERY | SECTION_MAP_READ : 0;
}

/* One that may not write waits by looking again and again, without an event (wait.c). */
DWORD shmx_win32_event_rights(unsigned flags)
{
    return (flags & SHMX_OTHERS_WRITE) != 0 ? SYNCHRONIZE | EVENT_MODIFY_STATE : 0;
}

int shmx_win32_user(char out[SHMX_WIN32_NAME_MAX])
{
    int status;
    const struct user *user = user_of_process(&status);
    if (status != SHMX_OK)
        return status;
    const unsigned char *sid = user->token.user.User.Sid;
    for (DWORD i = 0; i < GetLengthSid(user->token.user.User.Sid); i++)
        snprintf(out + 2 * i, 3, "%02x", sid[i]);
    return SHMX_OK;
}
