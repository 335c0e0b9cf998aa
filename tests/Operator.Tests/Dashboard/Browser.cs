using System.Diagnostics;
using System.Net.Http.Json;
using System.Net.WebSockets;
using System.Text.Json.Nodes;
using Xunit;

namespace Opt.Operator.Tests.Dashboard;

/// <summary>A headless Chromium with one page, driven over its DevTools protocol: keys, mouse, and what is on the page then.</summary>
internal sealed class Browser : IAsyncDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(2), Pace = TimeSpan.FromMilliseconds(50);
    private readonly Process _process;
    private readonly string _folder;
    private readonly ClientWebSocket _socket = new();
    private readonly TaskCompletionSource<int> _port = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<string> _said = [];
    private int _id;

    private Browser(Process process, string folder) => (_process, _folder) = (process, folder);

    /// <summary>Errors of scripts, refusals of the content policy, files that were not there.</summary>
    public List<string> Faults { get; } = [];

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    /// <summary>Skips the test where there is no Chromium.</summary>
    public static async Task<Browser> StartAsync()
    {
        var chromium = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Select(f => Path.Combine(f, "chromium")).FirstOrDefault(File.Exists);
        Assert.SkipWhen(chromium is null, "chromium is not installed (Debian package chromium)");
        var folder = Directory.CreateTempSubdirectory("opt-browser-").FullName;
        var start = new ProcessStartInfo(chromium!, ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run", "--disable-background-networking", "--disable-extensions", $"--user-data-dir={folder}", "--remote-debugging-port=0", "about:blank"])
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
        };
        var browser = new Browser(Process.Start(start)!, folder);
        browser._process.ErrorDataReceived += (_, said) => browser.Listen(said.Data);
        browser._process.BeginOutputReadLine();
        browser._process.BeginErrorReadLine();
        try
        {
            await browser.ConnectAsync();
            return browser;
        }
        catch
        {
            await browser.DisposeAsync();
            throw;
        }
    }

    /// <param name="dark">As the visitor prefers.</param>
    public async Task LookAsync(int width, int height, bool dark = false)
    {
        await SendAsync("Emulation.setDeviceMetricsOverride", new() { ["width"] = width, ["height"] = height, ["deviceScaleFactor"] = 1, ["mobile"] = false });
        await SendAsync("Emulation.setEmulatedMedia", new() { ["features"] = new JsonArray(new JsonObject { ["name"] = "prefers-color-scheme", ["value"] = dark ? "dark" : "light" }) });
    }

    /// <summary>Loads an address anew.</summary>
    public async Task OpenAsync(string address)
    {
        await SendAsync("Page.navigate", new() { ["url"] = "about:blank" });
        await UntilAsync("location.href === 'about:blank'");
        await SendAsync("Page.navigate", new() { ["url"] = address });
    }

    /// <summary>Waits until an expression is true on the page.</summary>
    public async Task UntilAsync(string expression)
    {
        var (clock, start) = (TimeProvider.System, TimeProvider.System.GetTimestamp());
        while ((await AskAsync($"!!({expression})"))?.GetValue<bool>() != true)
        {
            if (clock.GetElapsedTime(start) > Deadline) throw new TimeoutException($"not within {Deadline}: {expression}; faults: {string.Join("; ", Faults)}; the page says: {await AskAsync("document.body.innerText.slice(0, 2000)")}");
            await Task.Delay(Pace, clock, Cancelled);
        }
    }

    /// <summary>The value of an expression; null while the page has none, as in the middle of a load.</summary>
    public async Task<JsonNode?> AskAsync(string expression) => (await SendAsync("Runtime.evaluate", new() { ["expression"] = expression, ["returnByValue"] = true }))["result"]?["value"];

    /// <summary>Presses a key such as <c>Home</c> or <c>Tab</c>.</summary>
    public async Task PressAsync(string key)
    {
        var code = key switch { "Tab" => 9, "Enter" => 13, "End" => 35, "Home" => 36, "ArrowLeft" => 37, "ArrowRight" => 39, _ => throw new ArgumentOutOfRangeException(nameof(key), key, "not a known key") };
        foreach (var type in (string[])["rawKeyDown", "keyUp"]) await SendAsync("Input.dispatchKeyEvent", new() { ["type"] = type, ["key"] = key, ["code"] = key, ["windowsVirtualKeyCode"] = code });
    }

    public Task TypeAsync(string text) => SendAsync("Input.insertText", new() { ["text"] = text });

    /// <summary>Moves the mouse to a share of the width, and half of the height, of an element.</summary>
    public async Task HoverAsync(string selector, double share)
    {
        await AskAsync($"document.querySelector('{selector}').scrollIntoView({{block: 'center'}})");
        var box = (await AskAsync($"(() => {{ const r = document.querySelector('{selector}').getBoundingClientRect(); return [r.left, r.top, r.width, r.height]; }})()"))!.AsArray().Select(v => (double)v!).ToArray();
        await SendAsync("Input.dispatchMouseEvent", new() { ["type"] = "mouseMoved", ["x"] = box[0] + box[2] * share, ["y"] = box[1] + box[3] / 2 });
    }

    /// <summary>A picture of the whole page.</summary>
    public async Task<byte[]> PictureAsync() => Convert.FromBase64String((string)(await SendAsync("Page.captureScreenshot", new() { ["format"] = "png", ["captureBeyondViewport"] = true }))["data"]!);

    public async ValueTask DisposeAsync()
    {
        _socket.Dispose();
        _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync(CancellationToken.None);
        _process.Dispose();
        for (var i = 0; i < 50 && !TryDelete(); i++) await Task.Delay(Pace, TimeProvider.System, CancellationToken.None);
    }

    /// <summary>Processes of the browser that have not ended yet may still write.</summary>
    private bool TryDelete()
    {
        try
        {
            Directory.Delete(_folder, recursive: true);
            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }

    private async Task ConnectAsync()
    {
        var port = await _port.Task.WaitAsync(Deadline, TimeProvider.System, Cancelled);
        using var http = new HttpClient { Timeout = Deadline };
        var pages = (await http.GetFromJsonAsync<JsonArray>($"http://127.0.0.1:{port}/json/list", Cancelled))!;
        await _socket.ConnectAsync(new(pages.First(p => (string?)p!["type"] == "page")!["webSocketDebuggerUrl"]!.GetValue<string>()), Cancelled);
        foreach (var domain in (string[])["Page", "Runtime", "Log"]) await SendAsync($"{domain}.enable", []);
    }

    /// <summary>Its standard error tells the port that it took; the end of it is the end of the browser.</summary>
    private void Listen(string? line)
    {
        if (line is null) _port.TrySetException(new InvalidOperationException($"chromium ended: {string.Join('\n', _said)}"));
        else if (line.StartsWith("DevTools listening on ", StringComparison.Ordinal)) _port.TrySetResult(new Uri(line.Split(' ')[^1]).Port);
        else if (_said.Count < 20) _said.Add(line);
    }

    /// <summary>One command and its answer; events that come before it are looked at for faults.</summary>
    private async Task<JsonObject> SendAsync(string method, JsonObject parameters)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        deadline.CancelAfter(Deadline);
        var id = ++_id;
        await _socket.SendAsync(System.Text.Encoding.UTF8.GetBytes(new JsonObject { ["id"] = id, ["method"] = method, ["params"] = parameters }.ToJsonString()), WebSocketMessageType.Text, endOfMessage: true, deadline.Token);
        while (true)
        {
            var message = await ReceiveAsync(deadline.Token);
            if ((int?)message["id"] == id) return message["result"]?.AsObject() ?? throw new InvalidOperationException($"{method}: {message["error"]}");
            if ((string?)message["method"] is "Runtime.exceptionThrown" or "Log.entryAdded") Faults.Add(message["params"]!.ToJsonString());
        }
    }

    private async Task<JsonObject> ReceiveAsync(CancellationToken ct)
    {
        using var message = new MemoryStream();
        var buffer = new byte[64 << 10];
        WebSocketReceiveResult part;
        do
        {
            part = await _socket.ReceiveAsync(buffer, ct);
            message.Write(buffer, 0, part.Count);
        }
        while (!part.EndOfMessage);
        return JsonNode.Parse(message.ToArray())!.AsObject();
    }
}
