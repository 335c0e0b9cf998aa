using System.IO.Pipelines;
using System.Net;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Opt.LocalCluster.ApiServer.Http;

namespace Opt.Scenarios.World;

/// <summary>Carries requests to the API server's HTTP face without a socket.</summary>
internal sealed class InProcessTransport(HttpApi api) : ClusterLink
{
    private CancellationTokenSource _line = new();

    public override Uri Host => new("https://cluster.test");

    public override void Cut()
    {
        IsCut = true;
        _line.Cancel();
    }

    public override void Mend() => (IsCut, _line) = (false, new());

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        if (IsCut) throw new HttpRequestException("the network is cut");
        if (!StreamsLists && request.RequestUri!.Query.Contains("sendInitialEvents=true", StringComparison.Ordinal)) return Refusal(request);
        var exchange = new Exchange(request, await BodyAsync(request, cancellationToken), _line.Token);
        _ = exchange.RunAsync(api);
        await using var cancel = cancellationToken.Register(exchange.Abort);
        var response = await exchange.Response.WaitAsync(cancellationToken);
        Answered(request.Method);
        return response;
    }

    private static HttpResponseMessage Refusal(HttpRequestMessage request) => new(HttpStatusCode.UnprocessableEntity)
    {
        RequestMessage = request,
        Content = new StringContent("""{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Invalid","code":422,"message":"sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"}""", Encoding.UTF8, "application/json"),
    };

    private static async Task<byte[]> BodyAsync(HttpRequestMessage request, CancellationToken ct) => request.Content is null ? [] : await request.Content.ReadAsByteArrayAsync(ct);

    /// <summary>One request and its streamed answer.</summary>
    private sealed class Exchange : IHttpResponseBodyFeature
    {
        private readonly TaskCompletionSource<HttpResponseMessage> _response = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly Pipe _pipe = new(new PipeOptions(pauseWriterThreshold: 0));
        private readonly CancellationTokenSource _aborted;
        private readonly DefaultHttpContext _context = new();
        private readonly HttpRequestMessage _request;

        public Exchange(HttpRequestMessage request, byte[] body, CancellationToken line)
        {
            (_request, _aborted) = (request, CancellationTokenSource.CreateLinkedTokenSource(line));
            _context.Features.Set<IHttpResponseBodyFeature>(this);
            _context.RequestAborted = _aborted.Token;
            _context.Request.Method = request.Method.Method;
            _context.Request.Scheme = "https";
            _context.Request.Host = new("cluster.test");
            _context.Request.Path = request.RequestUri!.AbsolutePath;
            _context.Request.QueryString = new(request.RequestUri.Query);
            foreach (var (name, values) in request.Headers.Concat(request.Content?.Headers ?? Enumerable.Empty<KeyValuePair<string, IEnumerable<string>>>())) _context.Request.Headers[name] = values.ToArray();
            _context.Request.Headers.Authorization = $"Bearer {Token}";
            _context.Request.Body = new MemoryStream(body);
            _context.Request.ContentLength = body.Length;
        }

        public Task<HttpResponseMessage> Response => _response.Task;
        public Stream Stream => Writer.AsStream();
        public PipeWriter Writer => _pipe.Writer;

        public void Abort() => _aborted.Cancel();

        public async Task RunAsync(HttpApi api)
        {
            try
            {
                await api.HandleAsync(_context);
                await CompleteAsync();
            }
            catch (Exception e)
            {
                _response.TrySetException(new HttpRequestException("the server failed", e));
                await _pipe.Writer.CompleteAsync(e);
            }
        }

        public Task StartAsync(CancellationToken cancellationToken = default)
        {
            if (_response.Task.IsCompleted) return Task.CompletedTask;
            var message = new HttpResponseMessage((HttpStatusCode)_context.Response.StatusCode) { RequestMessage = _request, Content = new StreamContent(new Body(_pipe.Reader.AsStream(), _aborted)) };
            foreach (var (name, values) in _context.Response.Headers)
            {
                if (!message.Headers.TryAddWithoutValidation(name, (IEnumerable<string?>)values)) message.Content.Headers.TryAddWithoutValidation(name, (IEnumerable<string?>)values);
            }

            _response.TrySetResult(message);
            return Task.CompletedTask;
        }

        public async Task CompleteAsync()
        {
            await StartAsync();
            // A server that ends an answer because the line broke leaves the reader with an error, not with an end.
            await _pipe.Writer.CompleteAsync(_aborted.IsCancellationRequested ? new IOException("the connection broke") : null);
        }

        public void DisableBuffering()
        {
            // nothing is buffered
        }

        public Task SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken = default) => throw new NotSupportedException();
    }

    /// <summary>The body as the client reads it; disposing it is hanging up.</summary>
    private sealed class Body(Stream inner, CancellationTokenSource aborted) : Stream
    {
        public override bool CanRead => true;
        public override bool CanSeek => false;
        public override bool CanWrite => false;
        public override long Length => throw new NotSupportedException();
        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => inner.ReadAsync(buffer, cancellationToken);

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("read asynchronously");

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                aborted.Cancel();
                inner.Dispose();
            }

            base.Dispose(disposing);
        }
    }
}
