using System.Net.Http.Headers;

namespace Opt.Kubernetes;

/// <summary>One request, buildable as often as it is attempted.</summary>
internal sealed record ApiRequest(HttpMethod Method, string PathAndQuery, Repeat Repeat)
{
    public const string ApplyContentType = "application/apply-patch+yaml";

    public ReadOnlyMemory<byte>? Body { get; init; }

    public string ContentType { get; init; } = "application/json";

    public string Accept { get; init; } = "application/json";

    /// <summary>The API's name of the operation, for measurements.</summary>
    public string Verb
    {
        get => field ?? Method.Method switch { "GET" => "get", "PUT" => "update", "PATCH" when ContentType == ApplyContentType => "apply", "PATCH" => "patch", "DELETE" => "delete", _ => "create" };
        init;
    }

    /// <summary>What it concerns, with its subresource, for measurements: <c>pods/status</c>.</summary>
    public string Resource { get; init; } = "";

    /// <summary>What the caller is doing, for messages: <c>creating pods a/b</c>.</summary>
    public required string Doing { get; init; }

    public HttpRequestMessage ToMessage(Uri host)
    {
        // The host may have a path of its own (a proxy such as Rancher's), so the path is appended, not resolved.
        var message = new HttpRequestMessage(Method, new Uri(host.AbsoluteUri.TrimEnd('/') + PathAndQuery))
        {
            Version = System.Net.HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionOrLower,
        };
        message.Headers.Accept.ParseAdd(Accept);
        if (Body is { } body)
        {
            message.Content = new ReadOnlyMemoryContent(body);
            message.Content.Headers.ContentType = new MediaTypeHeaderValue(ContentType);
        }

        return message;
    }
}

/// <summary>A whole answer in memory.</summary>
internal readonly record struct ApiResponse(ReadOnlyMemory<byte> Body, IReadOnlyList<string> Warnings);
