using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Opt.LocalCluster.ApiServer.Auth;

namespace Opt.LocalCluster.Tests.ApiServer.Replay;

/// <summary>The recorder's webhook: <c>/mutate</c> annotates, <c>/validate</c> refuses data with a member <c>bad</c>. Keeps what it was sent.</summary>
internal sealed class WebhookServer : IAsyncDisposable
{
    private readonly WebApplication _app;

    private WebhookServer(WebApplication app, int port, string caBundle) => (_app, Port, CaBundle) = (app, port, caBundle);

    public int Port { get; }

    public string CaBundle { get; }

    public static async Task<WebhookServer> StartAsync(List<JsonObject> calls)
    {
        using var authority = CertificateAuthority.Create(TimeProvider.System);
        var certificate = authority.IssueServer([]);
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(k => k.Listen(IPAddress.Loopback, 0, l => l.UseHttps(certificate)));
        var app = builder.Build();
        app.Run(http => AnswerAsync(http, calls));
        await app.StartAsync();
        var address = new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());
        return new WebhookServer(app, address.Port, Convert.ToBase64String(Encoding.ASCII.GetBytes(authority.Pem)));
    }

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
    }

    private static async Task AnswerAsync(HttpContext http, List<JsonObject> calls)
    {
        var review = (JsonObject)(await JsonNode.ParseAsync(http.Request.Body))!;
        lock (calls) calls.Add(new JsonObject { ["path"] = http.Request.Path.Value, ["review"] = review.DeepClone() });
        var request = review["request"]!;
        var response = new JsonObject { ["uid"] = (string)request["uid"]!, ["allowed"] = true };
        if (http.Request.Path == "/mutate")
        {
            var patch = """[{"op":"add","path":"/metadata/annotations","value":{"example.com/defaulted":"true"}}]""";
            response["patchType"] = "JSONPatch";
            response["patch"] = Convert.ToBase64String(Encoding.UTF8.GetBytes(patch));
        }
        else if (request["object"]?["data"]?["bad"] is not null)
        {
            response["allowed"] = false;
            response["status"] = new JsonObject { ["code"] = 422, ["message"] = "data.bad: Forbidden: must not be set" };
        }

        http.Response.ContentType = "application/json";
        await http.Response.WriteAsync(new JsonObject { ["apiVersion"] = "admission.k8s.io/v1", ["kind"] = "AdmissionReview", ["response"] = response }.ToJsonString());
    }
}
