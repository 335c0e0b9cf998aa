using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Opt.LocalCluster.ApiServer.Json;

namespace Opt.LocalCluster.ApiServer.Http;

/// <summary>Writes answers.</summary>
internal static class Responses
{
    private const string Json = "application/json";
    private static readonly JsonSerializerOptions Indented = new(JsonText.Compact) { WriteIndented = true };

    public static Task JsonAsync(HttpContext http, int status, JsonNode body, string contentType = Json) => BytesAsync(http, status, JsonText.ToUtf8(body), contentType);

    public static async Task BytesAsync(HttpContext http, int status, ReadOnlyMemory<byte> body, string contentType = Json)
    {
        http.Response.StatusCode = status;
        http.Response.ContentType = contentType;
        http.Response.Headers.CacheControl = "no-cache, private";
        http.Response.ContentLength = body.Length;
        if (http.Request.Method != "HEAD") await http.Response.BodyWriter.WriteAsync(body, http.RequestAborted);
    }

    /// <summary>An object, in the encoding that was negotiated.</summary>
    public static Task NegotiatedAsync(HttpContext http, int status, JsonNode body, Negotiated negotiated)
    {
        if (negotiated.Yaml) return BytesAsync(http, status, Encoding.UTF8.GetBytes(YamlText.Write(body)), "application/yaml");
        if (negotiated.Pretty) return BytesAsync(http, status, Encoding.UTF8.GetBytes(body.ToJsonString(Indented) + "\n"));
        return JsonAsync(http, status, body);
    }

    public static Task StatusAsync(HttpContext http, ApiException refusal)
    {
        if (http.Response.HasStarted) return Task.CompletedTask;
        if (refusal.Status.At("details", "retryAfterSeconds").Long() is { } seconds) http.Response.Headers.RetryAfter = seconds.ToString(System.Globalization.CultureInfo.InvariantCulture);
        return JsonAsync(http, refusal.Code, refusal.Status);
    }

    public static Task DiscoveryAsync(HttpContext http, byte[] body, string contentType)
    {
        var tag = $"\"{Convert.ToHexString(System.Security.Cryptography.SHA512.HashData(body).AsSpan(0, 32))}\"";
        if (contentType != Json)
        {
            http.Response.Headers.ETag = tag;
            http.Response.Headers.Vary = "Accept";
            if (http.Request.Headers.IfNoneMatch == tag)
            {
                http.Response.StatusCode = 304;
                return Task.CompletedTask;
            }
        }

        return BytesAsync(http, 200, body, contentType);
    }

    public static Task TextAsync(HttpContext http, int status, string text) =>
        BytesAsync(http, status, Encoding.UTF8.GetBytes(text), "text/plain; charset=utf-8");

    public static Task NotFoundPageAsync(HttpContext http) => TextAsync(http, 404, "404 page not found\n");

    public static void Warn(HttpContext http, IEnumerable<string> warnings)
    {
        foreach (var text in warnings.Distinct())
        {
            var quoted = text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).ReplaceLineEndings(" ");
            http.Response.Headers.Append("Warning", $"299 - \"{quoted}\"");
        }
    }
}
