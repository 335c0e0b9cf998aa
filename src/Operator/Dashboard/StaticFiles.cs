using System.Collections.Frozen;
using System.Reflection;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Http;

namespace Opt.Operator.Dashboard;

/// <summary>The page's files, embedded in this assembly under <c>dashboard/</c>. They hold no data, so they need no permission.</summary>
internal static class StaticFiles
{
    private const string Prefix = "dashboard/";
    private static readonly FrozenDictionary<string, (byte[] Content, string Type, string Tag)> Files = Load();

    public static async Task ServeAsync(HttpContext http)
    {
        var path = http.Request.Path.Value is "/" or null ? "index.html" : http.Request.Path.Value[1..];
        if (!Files.TryGetValue(path, out var file))
        {
            http.Response.StatusCode = 404;
            return;
        }

        http.Response.Headers.CacheControl = "no-cache";
        http.Response.Headers.ETag = file.Tag;
        http.Response.ContentType = file.Type;
        if (http.Request.Headers.IfNoneMatch == file.Tag) http.Response.StatusCode = 304;
        else await http.Response.Body.WriteAsync(file.Content, http.RequestAborted);
    }

    private static FrozenDictionary<string, (byte[], string, string)> Load()
    {
        var assembly = Assembly.GetExecutingAssembly();
        return assembly.GetManifestResourceNames().Where(n => n.StartsWith(Prefix, StringComparison.Ordinal)).ToFrozenDictionary(n => n[Prefix.Length..], name =>
        {
            using var stream = assembly.GetManifestResourceStream(name)!;
            var content = new byte[stream.Length];
            stream.ReadExactly(content);
            return (content, TypeOf(name), $"\"{Convert.ToHexStringLower(SHA256.HashData(content))[..16]}\"");
        });
    }

    private static string TypeOf(string name) => Path.GetExtension(name) switch
    {
        ".html" => "text/html; charset=utf-8",
        ".js" => "text/javascript; charset=utf-8",
        ".css" => "text/css; charset=utf-8",
        ".svg" => "image/svg+xml",
        _ => "text/plain; charset=utf-8",
    };
}
