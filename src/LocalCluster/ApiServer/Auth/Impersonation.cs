using Microsoft.AspNetCore.Http;

namespace Opt.LocalCluster.ApiServer.Auth;

/// <summary>Requests in somebody else's name (<c>kubectl --as</c>): allowed to whoever may <c>impersonate</c> that user and each of the groups.</summary>
internal static class Impersonation
{
    private const string ExtraPrefix = "Impersonate-Extra-";

    /// <summary>The user in whose name the request is made: the caller, unless its headers name another.</summary>
    /// <exception cref="ApiException">403 when the caller may not; 400 when groups are named without a user.</exception>
    public static UserInfo Apply(IHeaderDictionary headers, UserInfo caller, IAuthorizer authorizer)
    {
        var name = headers["Impersonate-User"].ToString();
        string[] groups = [.. headers["Impersonate-Group"].OfType<string>()];
        var extra = headers.Where(h => h.Key.StartsWith(ExtraPrefix, StringComparison.OrdinalIgnoreCase))
            .ToDictionary(h => Uri.UnescapeDataString(h.Key[ExtraPrefix.Length..].ToLowerInvariant()), h => (IReadOnlyList<string>)[.. h.Value.OfType<string>()]);
        if (name.Length == 0)
        {
            return groups.Length == 0 && extra.Count == 0 ? caller : throw ApiErrors.BadRequest("requested groups or extra without impersonating a user");
        }

        var account = Account(name);
        if (account is { } found) Check(authorizer, caller, "serviceaccounts", found.Namespace, found.Name);
        else Check(authorizer, caller, "users", null, name);
        foreach (var group in groups) Check(authorizer, caller, "groups", null, group);
        if (groups.Length == 0 && account is { } a) groups = ["system:serviceaccounts", $"system:serviceaccounts:{a.Namespace}"];
        var known = name == UserInfo.Anonymous.Name ? "system:unauthenticated" : "system:authenticated";
        return new UserInfo(name, groups.Contains(known) ? groups : [.. groups, known]) { Uid = headers["Impersonate-Uid"].ToString(), Extra = extra };
    }

    private static void Check(IAuthorizer authorizer, UserInfo caller, string resource, string? @namespace, string name)
    {
        var question = new AccessQuestion(caller, "impersonate", "", resource, null, @namespace, name);
        if (!authorizer.Allows(question)) throw ApiErrors.Forbidden(question);
    }

    private static (string Namespace, string Name)? Account(string user) =>
        user.Split(':') is ["system", "serviceaccount", { Length: > 0 } ns, { Length: > 0 } name] ? (ns, name) : null;
}
