using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Opt.Kubernetes;

/// <summary>
/// The operations on one resource. All of them throw <see cref="KubernetesException"/> when the server refuses or no answer comes,
/// and <see cref="OperationCanceledException"/> only for the caller's own token.
/// </summary>
public sealed class ResourceClient<T> where T : class
{
    private readonly ApiTransport _transport;

    internal ResourceClient(ResourceDefinition<T> definition, ApiTransport transport) => (Definition, _transport) = (definition, transport);

    public ResourceDefinition<T> Definition { get; }

    internal TimeProvider Clock => _transport.Clock;

    internal KubernetesClientOptions Options => _transport.Options;

    internal ClientMetrics Metrics => _transport.Metrics;

    public async Task<T> GetAsync(ObjectKey key, CancellationToken ct) =>
        await ReadAsync(Request(HttpMethod.Get, Path(key), Repeat.Safe, "reading", key), ct);

    /// <summary>The object, or null if there is none.</summary>
    public async Task<T?> FindAsync(ObjectKey key, CancellationToken ct)
    {
        try
        {
            return await GetAsync(key, ct);
        }
        catch (KubernetesException e) when (e.IsNotFound)
        {
            return null;
        }
    }

    /// <summary>One page. A null namespace means all namespaces.</summary>
    public async Task<KubernetesList<T>> ListPageAsync(string? @namespace, ListOptions options, CancellationToken ct)
    {
        var path = Definition.Path(@namespace) + options.ToQuery();
        var request = new ApiRequest(HttpMethod.Get, path, Repeat.Safe) { Verb = "list", Resource = Definition.ToString(), Doing = $"listing {Definition}" };
        var response = await _transport.SendAsync(request, ct);
        return Decode(response, request, static (body, definition) => ListReader.Read(body, definition));
    }

    /// <summary>Everything, read page by page at one version. A null namespace means all namespaces.</summary>
    /// <exception cref="KubernetesException">Also 410, if the server forgot the version between two pages: start again.</exception>
    public async Task<KubernetesList<T>> ListAsync(string? @namespace, ListOptions? options, CancellationToken ct)
    {
        var page = await ListPageAsync(@namespace, options ??= new(), ct);
        if (string.IsNullOrEmpty(page.Metadata.Continue)) return page;
        var items = new List<T>(page.Items);
        while (!string.IsNullOrEmpty(page.Metadata.Continue))
        {
            page = await ListPageAsync(@namespace, options with { Continue = page.Metadata.Continue }, ct);
            items.AddRange(page.Items);
        }

        return new(items, page.Metadata);
    }

    /// <summary>Creates. Not repeated when the outcome is unknown: the caller sees <see cref="KubernetesException.IsOutcomeUnknown"/>.</summary>
    public async Task<T> CreateAsync(T item, CancellationToken ct, WriteOptions? options = null)
    {
        var meta = Definition.MetadataOf(item);
        var path = Definition.Path(meta.Namespace) + Query(options);
        var request = new ApiRequest(HttpMethod.Post, path, Repeat.IfNotProcessed) { Body = Definition.Write(item), Resource = Definition.ToString(), Doing = $"creating {Definition} {meta.Namespace}/{meta.Name ?? meta.GenerateName}" };
        return await ReadAsync(request, ct);
    }

    /// <summary>Replaces the whole object. With a resourceVersion in its metadata, only that version (409 otherwise).</summary>
    public Task<T> ReplaceAsync(T item, CancellationToken ct, WriteOptions? options = null) => ReplaceAsync(item, null, options, ct);

    /// <summary>Replaces the status alone.</summary>
    public Task<T> ReplaceStatusAsync(T item, CancellationToken ct, WriteOptions? options = null) => ReplaceAsync(item, "status", options, ct);

    /// <summary>Changes a part of the object, or of its <paramref name="subresource"/>.</summary>
    public Task<T> PatchAsync(ObjectKey key, Patch patch, CancellationToken ct, WriteOptions? options = null, string? subresource = null)
    {
        ArgumentNullException.ThrowIfNull(patch);
        var request = Request(HttpMethod.Patch, Path(key, subresource) + Query(options), patch.IsRepeatable ? Repeat.Safe : Repeat.IfNotProcessed, "patching", key, subresource);
        return ReadAsync(request with { Body = patch.ToBytes(), ContentType = patch.ContentType }, ct);
    }

    /// <summary>
    /// Server-side apply: the fields in <paramref name="item"/> become this manager's, fields it owned and left out are removed.
    /// Give only the fields that are meant; never what was read from the server.
    /// </summary>
    /// <param name="force">Take fields from other managers instead of failing with 409.</param>
    public Task<T> ApplyAsync(T item, bool force, CancellationToken ct, WriteOptions? options = null, string? subresource = null) =>
        ApplyAsync(Definition.KeyOf(item), Definition.Write(item), force, options, subresource, ct);

    /// <summary>Server-side apply of free-form fields; <paramref name="fields"/> must carry apiVersion, kind and metadata.name.</summary>
    public Task<T> ApplyAsync(ObjectKey key, JsonObject fields, bool force, CancellationToken ct, WriteOptions? options = null, string? subresource = null) =>
        ApplyAsync(key, JsonSerializer.SerializeToUtf8Bytes(fields, InternalJson.Default.JsonObject), force, options, subresource, ct);

    /// <summary>
    /// Deletes. Give a uid precondition, so that a successor of the same name is never hit (409 then). Repeated when the outcome is unknown,
    /// so a 404 may mean that an earlier attempt did it.
    /// </summary>
    public async Task DeleteAsync(ObjectKey key, V1DeleteOptions? options, CancellationToken ct) =>
        await _transport.SendAsync(Request(HttpMethod.Delete, Path(key), Repeat.Safe, "deleting", key) with { Body = Bytes(options ?? new()) }, ct);

    /// <summary>Deletes all that the selectors choose in one namespace.</summary>
    public async Task DeleteCollectionAsync(string? @namespace, ListOptions selection, V1DeleteOptions? options, CancellationToken ct)
    {
        var path = Definition.Path(@namespace) + (selection with { PageSize = 0 }).ToQuery();
        await _transport.SendAsync(new(HttpMethod.Delete, path, Repeat.Safe) { Body = Bytes(options ?? new()), Verb = "deletecollection", Resource = Definition.ToString(), Doing = $"deleting {Definition} of {@namespace}" }, ct);
    }

    /// <summary>Tries a create without storing. Refusals come back as data, with the warnings of a create that would succeed.</summary>
    public async Task<DryRunResult<T>> DryRunCreateAsync(T item, CancellationToken ct)
    {
        var meta = Definition.MetadataOf(item);
        var query = Query(new() { DryRun = true, FieldValidation = FieldValidation.Strict });
        var request = new ApiRequest(HttpMethod.Post, Definition.Path(meta.Namespace) + query, Repeat.Safe) { Body = Definition.Write(item), Resource = Definition.ToString(), Doing = $"trying {Definition} {meta.Namespace}/{meta.Name}" };
        return await TryAsync(request, ct);
    }

    /// <summary>Tries a server-side apply without storing, over the object if it exists.</summary>
    public Task<DryRunResult<T>> DryRunApplyAsync(T item, CancellationToken ct)
    {
        var key = Definition.KeyOf(item);
        var query = Query(new() { DryRun = true, FieldValidation = FieldValidation.Strict }, force: true);
        return TryAsync(Request(HttpMethod.Patch, Path(key) + query, Repeat.Safe, "trying", key) with { Body = Definition.Write(item), ContentType = ApiRequest.ApplyContentType }, ct);
    }

    /// <summary>
    /// Events until the server or the connection ends the watch, or nothing comes for <see cref="KubernetesClientOptions.WatchIdleTimeout"/>.
    /// A null namespace means all namespaces.
    /// </summary>
    /// <exception cref="KubernetesException">410 if the version is too old; no answer if the connection broke or stalled.</exception>
    public async IAsyncEnumerable<WatchEvent<T>> WatchAsync(string? @namespace, WatchOptions options, [EnumeratorCancellation] CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(options);
        var doing = $"watching {Definition}";
        var request = new ApiRequest(HttpMethod.Get, Definition.Path(@namespace) + options.ToQuery(), Repeat.Never) { Verb = "watch", Resource = Definition.ToString(), Doing = doing };
        using var response = await _transport.OpenAsync(request, ct);
        await foreach (var line in _transport.ReadLinesAsync(response, doing, ct)) yield return ParseFrame(line.Span, doing);
    }

    /// <summary>Reads a subresource that answers with text.</summary>
    internal Task<ApiResponse> GetAsync(ObjectKey key, string subresource, string query, CancellationToken ct) =>
        _transport.SendAsync(Request(HttpMethod.Get, Path(key, subresource) + query, Repeat.Safe, "reading", key, subresource) with { Accept = "*/*" }, ct);

    /// <summary>Opens a subresource that answers with text, such as a pod's log. The caller disposes the stream.</summary>
    internal async Task<HttpResponseMessage> OpenAsync(ObjectKey key, string subresource, string query, CancellationToken ct) =>
        await _transport.OpenAsync(Request(HttpMethod.Get, Path(key, subresource) + query, Repeat.Safe, "reading", key, subresource) with { Accept = "*/*" }, ct);

    /// <summary>Posts to a subresource and returns the raw answer.</summary>
    internal Task<ApiResponse> PostAsync(ObjectKey key, string subresource, ReadOnlyMemory<byte> body, Repeat repeat, string doing, CancellationToken ct) =>
        _transport.SendAsync(new(HttpMethod.Post, Path(key, subresource), repeat) { Body = body, Resource = $"{Definition}/{subresource}", Doing = $"{doing} {Definition} {key}" }, ct);

    internal async Task<ApiResponse> ScaleAsync(HttpMethod method, ObjectKey key, ReadOnlyMemory<byte>? body, string contentType, CancellationToken ct) =>
        await _transport.SendAsync(Request(method, Path(key, "scale") + (body is null ? "" : Query(null)), Repeat.Safe, "scaling", key, "scale") with { Body = body, ContentType = contentType }, ct);

    private Task<T> ReplaceAsync(T item, string? subresource, WriteOptions? options, CancellationToken ct)
    {
        var meta = Definition.MetadataOf(item);
        var key = ObjectKey.Of(meta);
        // Repeating a replace that named its version is harmless: if the first took effect, the second is a conflict.
        var repeat = meta.ResourceVersion is null ? Repeat.IfNotProcessed : Repeat.Safe;
        return ReadAsync(Request(HttpMethod.Put, Path(key, subresource) + Query(options), repeat, "replacing", key, subresource) with { Body = Definition.Write(item) }, ct);
    }

    private Task<T> ApplyAsync(ObjectKey key, ReadOnlyMemory<byte> body, bool force, WriteOptions? options, string? subresource, CancellationToken ct) =>
        ReadAsync(Request(HttpMethod.Patch, Path(key, subresource) + Query(options, force), Repeat.Safe, "applying", key, subresource) with { Body = body, ContentType = ApiRequest.ApplyContentType }, ct);

    private async Task<T> ReadAsync(ApiRequest request, CancellationToken ct) =>
        Decode(await _transport.SendAsync(request, ct), request, static (body, definition) => definition.Read(body));

    private TResult Decode<TResult>(ApiResponse response, ApiRequest request, Func<ReadOnlySpan<byte>, ResourceDefinition<T>, TResult> read)
    {
        try
        {
            return read(response.Body.Span, Definition);
        }
        catch (JsonException e)
        {
            throw new KubernetesException(request.Doing, e);   // a success whose body is not what was asked for: as good as no answer
        }
    }

    private async Task<DryRunResult<T>> TryAsync(ApiRequest request, CancellationToken ct)
    {
        try
        {
            var response = await _transport.SendAsync(request, ct);
            return new(Decode(response, request, static (body, definition) => definition.Read(body)), response.Warnings, null);
        }
        catch (KubernetesException e) when (e.IsInvalid || e.Code is 403 or 404 or 409)
        {
            return new(null, [], e.Status);
        }
    }

    private WatchEvent<T> ParseFrame(ReadOnlySpan<byte> line, string doing)
    {
        try
        {
            return WatchFrame.Parse(line, Definition);
        }
        catch (JsonException e)
        {
            throw new KubernetesException(doing, e);
        }
    }

    private ApiRequest Request(HttpMethod method, string path, Repeat repeat, string verb, ObjectKey key, string? subresource = null) =>
        new(method, path, repeat) { Resource = subresource is null ? Definition.ToString() : $"{Definition}/{subresource}", Doing = $"{verb} {Definition} {key}{(subresource is null ? "" : $" ({subresource})")}" };

    private string Path(ObjectKey key, string? subresource = null)
    {
        if (Definition.Namespaced && key.Namespace is null) throw new ArgumentException($"{Definition} live in a namespace; {key} names none.", nameof(key));
        return Definition.Path(key.Namespace, key.Name, subresource);
    }

    private string Query(WriteOptions? options, bool force = false) => (options ?? new()).ToQuery(_transport.Options.FieldManager).Add("force", force).ToString();

    private static byte[] Bytes(V1DeleteOptions options) => JsonSerializer.SerializeToUtf8Bytes(options, KubernetesJson.Default.V1DeleteOptions);
}
