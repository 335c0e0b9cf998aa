using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Opt.LocalCluster.ApiServer.Auth;
using Opt.LocalCluster.ApiServer.Rest;

namespace Opt.LocalCluster.ApiServer.Http;

/// <summary>The user of a request. Certificates are checked once a connection.</summary>
internal static class Users
{
    private static readonly object Key = new();

    public static UserInfo Of(HttpContext http, Authenticator authenticator)
    {
        var items = http.Features.Get<IConnectionItemsFeature>()?.Items;
        if (items is not null && items.TryGetValue(Key, out var known)) return (UserInfo)known!;
        var certificate = http.Connection.ClientCertificate;
        var user = authenticator.Authenticate(certificate, http.Request.Headers.Authorization);
        if (certificate is not null && items is not null) items[Key] = user;
        return user;
    }

    /// <summary>The user as a writer: named managers come from the query, others from the user agent.</summary>
    public static Caller Caller(HttpContext http, UserInfo user)
    {
        var manager = http.Request.Query["fieldManager"].ToString();
        if (manager.Length == 0) manager = FromAgent(http.Request.Headers.UserAgent.ToString());
        return new Caller(user.Name, manager, user.Groups) { Uid = user.Uid, Extra = user.Extra };
    }

    // What comes before the version, printable, at most 128 characters.
    private static string FromAgent(string agent)
    {
        var name = agent.Split('/')[0];
        name = string.Concat(name.Where(c => !char.IsControl(c)));
        return name.Length > 128 ? name[..128] : name;
    }
}
