using Opt.LocalCluster.ApiServer.Auth;

namespace Opt.LocalCluster.Cli;

/// <summary>The file of <c>--token-auth-file</c>: a line <c>token,user,uid</c> or <c>token,user,uid,"group,group"</c> for each bearer token.</summary>
internal static class TokenFile
{
    /// <exception cref="UsageException">The file is not there, or a line is malformed.</exception>
    public static IReadOnlyDictionary<string, UserInfo> Read(string path)
    {
        if (!File.Exists(path)) throw new UsageException($"--token-auth-file: there is no file {path}");
        var users = new Dictionary<string, UserInfo>(StringComparer.Ordinal);
        foreach (var (index, line) in File.ReadLines(path).Index())
        {
            if (line.Trim() is not { Length: > 0 } entry) continue;
            if (entry.Split(',', 4) is not [{ Length: > 0 } token, { Length: > 0 } user, var uid, .. var rest])
            {
                // The line itself is not repeated: it may hold a token.
                throw new UsageException($"--token-auth-file {path}, line {index + 1}: expected token,user,uid and optionally \"group,group\"");
            }

            string[] groups = rest is [var list] ? list.Trim('"').Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) : [];
            users[token] = new UserInfo(user, groups) { Uid = uid };
        }

        return users;
    }
}
