using System.Text;
using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Json;
using Opt.LocalCluster.ApiServer.Rest;

namespace Opt.LocalCluster.ApiServer.Lifecycle;

/// <summary>Secrets of type <c>kubernetes.io/service-account-token</c>: the server puts a token into them.</summary>
internal static class TokenSecrets
{
    private const string Account = "kubernetes.io/service-account.name";
    private const string AccountUid = "kubernetes.io/service-account.uid";

    public static async Task FillAsync(ApiContext context, JsonObject secret, CancellationToken ct)
    {
        if (secret.Str("type") != "kubernetes.io/service-account-token" || secret.IsDeleting() || secret.Obj("data")?["token"] is not null || context.Tokens is not { } tokens) return;
        if (secret.Str("metadata", "annotations", Account) is not { } name || context.Store.Get("/serviceaccounts", secret.Namespace(), name) is not { } account) return;
        var bound = new JsonObject { ["kind"] = "Secret", ["name"] = secret.Name(), ["uid"] = secret.Uid() };
        var token = tokens.Issue(secret.Namespace(), name, account.Uid, [], null, bound);
        var kind = context.Kinds.Find("", "v1", "secrets")!;
        await Updater.ChangeAsync(context, new Target(kind, secret.Namespace(), secret.Name()), current =>
        {
            current.Metadata().Ensure("annotations")[AccountUid] = account.Uid;
            var data = current.Ensure("data");
            data["token"] = Base64(token);
            data["ca.crt"] = Base64(context.CaBundle);
            data["namespace"] = Base64(secret.Namespace());
            return current;
        }, new WriteRequest(NamespaceContents.Controller), ct);
    }

    private static string Base64(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));
}
