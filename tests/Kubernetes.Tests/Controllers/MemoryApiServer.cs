using System.Net;
using System.Text;
using System.Text.Json;

namespace Opt.Kubernetes.Tests;

/// <summary>
/// Config maps of one namespace below the client's HTTP, in memory and on the pump's thread: streamed lists and watches. The edges of a server
/// are not its business; those are tested over real HTTP.
/// </summary>
internal sealed class MemoryApiServer(TimeProvider clock) : HttpMessageHandler
{
    private readonly SortedDictionary<string, V1ConfigMap> _maps = new(StringComparer.Ordinal);
    private readonly List<MemoryStreamOfLines> _watches = [];
    private long _version = 100;

    public Task PutAsync(string name, int value, string? owner = null)
    {
        _version++;
        var isNew = !_maps.ContainsKey(name);
        _maps[name] = new()
        {
            Metadata = new()
            {
                Name = name,
                Namespace = "n",
                Uid = name,
                ResourceVersion = $"{_version}",
                CreationTimestamp = clock.GetUtcNow(),
                OwnerReferences = owner is null ? null : [new() { Kind = "ConfigMap", Name = owner, Uid = owner, Controller = true }],
            },
            Data = new Dictionary<string, string> { ["k"] = $"{value}" },
        };
        Tell(isNew ? "ADDED" : "MODIFIED", _maps[name]);
        return Task.CompletedTask;
    }

    public Task DeleteAsync(string name)
    {
        _version++;
        var last = _maps[name];
        _maps.Remove(name);
        Tell("DELETED", last with { Metadata = last.Metadata with { ResourceVersion = $"{_version}" } });
        return Task.CompletedTask;
    }

    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        if (!request.RequestUri!.Query.Contains("watch=true", StringComparison.Ordinal)) return Task.FromResult(NewestVersion());
        var stream = new MemoryStreamOfLines();
        foreach (var map in _maps.Values) stream.Write(Line("ADDED", map));
        stream.Write($$$"""{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"{{{_version}}}","annotations":{"k8s.io/initial-events-end":"true"}} }}""" + "\n");
        _watches.Add(stream);
        return Task.FromResult(new HttpResponseMessage(HttpStatusCode.OK) { Content = new StreamContent(stream) });
    }

    // The only list an informer asks for here, because it streams: is the history still the same?
    private HttpResponseMessage NewestVersion() => new(HttpStatusCode.OK)
    {
        Content = new ByteArrayContent(Encoding.UTF8.GetBytes($"{{\"metadata\":{{\"resourceVersion\":\"{_version}\"}},\"items\":[]}}")),
    };

    private void Tell(string type, V1ConfigMap map)
    {
        foreach (var watch in _watches) watch.Write(Line(type, map));
    }

    private static string Line(string type, V1ConfigMap map) => $"{{\"type\":\"{type}\",\"object\":{JsonSerializer.Serialize(map, KubernetesJson.Default.V1ConfigMap)}}}" + "\n";
}

/// <summary>A stream that is written by the test and read on the same thread: its reads complete in place, not on another thread.</summary>
internal sealed class MemoryStreamOfLines : Stream
{
    private readonly MemoryStream _unread = new();
    private TaskCompletionSource? _arrival;
    private long _read;
    private bool _ended;
    private bool _broken;

    public override bool CanRead => true;
    public override bool CanSeek => false;
    public override bool CanWrite => false;
    public override long Length => throw new NotSupportedException();
    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    public void Write(string text)
    {
        _unread.Position = _unread.Length;
        _unread.Write(Encoding.UTF8.GetBytes(text));
        InPlace(arrival => arrival.TrySetResult());
    }

    /// <summary>The server ends the answer as it should.</summary>
    public void End()
    {
        _ended = true;
        InPlace(arrival => arrival.TrySetResult());
    }

    /// <summary>The connection is gone.</summary>
    public void Break()
    {
        _broken = true;
        InPlace(arrival => arrival.TrySetResult());
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (_unread.Length == _read)
        {
            if (_broken) throw new IOException("the connection broke");
            if (_ended) return 0;
            _arrival = new TaskCompletionSource();
            await using var cancel = cancellationToken.Register(() => InPlace(arrival => arrival.TrySetCanceled(cancellationToken)));
            await _arrival.Task.ConfigureAwait(false);
        }

        _unread.Position = _read;
        var count = _unread.Read(buffer.Span);
        _read += count;
        return count;
    }

    // Pipes continue "anywhere", and under a foreign context that means the thread pool; without one it means here.
    private void InPlace(Action<TaskCompletionSource> complete)
    {
        if (_arrival is null) return;
        var context = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(null);
        try
        {
            complete(_arrival);
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(context);
        }
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
    public override void SetLength(long value) => throw new NotSupportedException();
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Flush()
    {
    }
}
