using System.Text;
using System.Text.Json.Nodes;
using Opt.LocalCluster.ApiServer.Auth;
using Opt.LocalCluster.ApiServer.Json;

namespace Opt.LocalCluster.ApiServer.Http;

/// <summary>Writes a kubeconfig with one cluster, one user and one context.</summary>
public static class Kubeconfig
{
    public static string Text(string server, string authorityPem, string certificatePem, string keyPem) => YamlText.Write(new JsonObject
    {
        ["apiVersion"] = "v1",
        ["kind"] = "Config",
        ["clusters"] = new JsonArray(new JsonObject
        {
            ["name"] = "opt-local",
            ["cluster"] = new JsonObject { ["server"] = server, ["certificate-authority-data"] = Base64(authorityPem) },
        }),
        ["users"] = new JsonArray(new JsonObject
        {
            ["name"] = "admin",
            ["user"] = new JsonObject { ["client-certificate-data"] = Base64(certificatePem), ["client-key-data"] = Base64(keyPem) },
        }),
        ["contexts"] = new JsonArray(new JsonObject
        {
            ["name"] = "opt-local",
            ["context"] = new JsonObject { ["cluster"] = "opt-local", ["user"] = "admin" },
        }),
        ["current-context"] = "opt-local",
    });

    /// <summary>Writes the file whole or not at all, readable by its owner only.</summary>
    public static void Write(string file, string text) => PrivateFile.Write(file, text);

    private static string Base64(string text) => Convert.ToBase64String(Encoding.ASCII.GetBytes(text));
}
