using System.Net;
using System.Text.Json.Nodes;
using Opt.Api.V1Alpha1;
using Opt.Operator.Dashboard;
using Xunit;

namespace Opt.Operator.Tests.Dashboard;

/// <summary>The page in a real browser. <c>OPT_SCREENSHOTS=DIR</c> keeps its pictures.</summary>
public sealed class BrowserTests
{
    private const string Drawn = "document.querySelectorAll('canvas').length === 6 && /steps drawn/.test(document.body.innerText)";

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task It_is_drawn_on_a_desk_on_a_phone_and_in_the_dark()
    {
        await using var server = await ServeAsync(new SampleData());
        await using var browser = await Browser.StartAsync();
        foreach (var (name, width, dark) in new[] { ("phone", 390, false), ("desktop", 1400, false), ("dark", 1400, true) })
        {
            await browser.LookAsync(width, 900, dark);
            await browser.OpenAsync($"{server.Address}#/research/opt-175b");
            await browser.UntilAsync($"{Drawn} && /300 entries/.test(document.body.innerText)");
            Assert.True((await browser.AskAsync($"document.documentElement.scrollWidth <= {width}"))!.GetValue<bool>(), $"{name}: wider than the screen");
            await ExplainAsync(browser);
            if (Environment.GetEnvironmentVariable("OPT_SCREENSHOTS") is { Length: > 0 } folder) await File.WriteAllBytesAsync(Path.Combine(folder, $"dashboard-{name}.png"), await browser.PictureAsync(), Cancelled);
        }

        AssertShown((string)(await browser.AskAsync("document.documentElement.outerHTML"))!);
        await LineageAsync(browser);
        Assert.Empty(browser.Faults);
    }

    [Fact]
    public async Task Keys_read_the_curves_the_mouse_explains_interventions_and_what_is_new_comes_by_itself()
    {
        var data = new SampleData(steps: 12_000);
        await using var server = await ServeAsync(data);
        await using var browser = await Browser.StartAsync();
        await browser.LookAsync(1400, 900);
        await browser.OpenAsync($"{server.Address}#/research/opt-175b");
        await browser.UntilAsync($"{Drawn} && document.querySelector('#live').textContent === 'live'");

        await ByKeysAsync(browser);
        await NodesByKeysAsync(browser);
        await ByMouseAsync(browser);
        await SearchAsync(browser);
        await LiveAsync(browser, data);
        Assert.Empty(browser.Faults);
    }

    /// <summary>How long a visitor waits, with as much as a job ever has; the figures are printed (<c>-showLiveOutput</c>) and belong in docs/measurements.md.</summary>
    [Fact]
    public async Task The_largest_run_opens_zooms_and_searches()
    {
        Assert.SkipUnless(Environment.GetEnvironmentVariable("OPT_SOAK") == "1", "takes its time: OPT_SOAK=1");
        await using var server = await ServeAsync(new SampleData(entries: 5000));
        await using var browser = await Browser.StartAsync();
        await browser.LookAsync(1400, 900);
        for (var round = 1; round <= 5; round++)
        {
            await browser.OpenAsync($"{server.Address}#/research/opt-175b");
            await browser.UntilAsync($"{Drawn} && /5,000 entries/.test(document.body.innerText)");
            var opened = (double)(await browser.AskAsync("performance.now()"))!;
            var zoomed = await TookAsync(browser, "document.querySelector('.chart').dispatchEvent(new KeyboardEvent('keydown', { key: '+' }))", "/^(?!1,326 )[\\d,]+ of 143,000 steps drawn/.test(document.querySelector('.toolbar').innerText) && !document.querySelector('.toolbar button').hidden");
            var read = await TookAsync(browser, "document.querySelector('.chart').dispatchEvent(new KeyboardEvent('keydown', { key: 'Home' }))", "/^Loss .* at step/.test(document.querySelector('p.sr[role=status]').textContent)");
            var searched = await TookAsync(browser, "document.querySelector('#search').value = 'needle', document.querySelector('#search').dispatchEvent(new Event('input'))", "/^1 of 5,000 entries/.test(document.querySelector('#search + span').textContent)");
            TestContext.Current.TestOutputHelper!.WriteLine($"open {opened:0} ms, zoom {zoomed:0} ms, read a point {read:0} ms, search {searched:0} ms");
        }

        Assert.Empty(browser.Faults);
    }

    /// <summary>Milliseconds from an action to the first frame in which its effect is there.</summary>
    private static async Task<double> TookAsync(Browser browser, string act, string shows)
    {
        await browser.AskAsync($"(() => {{ window.took = 0; const from = performance.now(); const look = () => {{ if ({shows}) window.took = performance.now() - from; else requestAnimationFrame(look); }}; {act}; requestAnimationFrame(look); }})()");
        await browser.UntilAsync("window.took > 0");
        return (double)(await browser.AskAsync("window.took"))!;
    }

    /// <summary>An intervention by the mouse and a machine by a click: what README's picture shows.</summary>
    private static async Task ExplainAsync(Browser browser)
    {
        await browser.AskAsync("[...document.querySelectorAll('.nodes button')].find(b => /^gpu-17: /.test(b.title)).click()");
        await browser.UntilAsync("/^gpu-17: quarantined.*2026-01-03 .*launched epoch 2/s.test(document.querySelector('#node-detail').innerText)");
        await browser.HoverAsync(".chart .u-over", 61_000.0 / 143_000);
        await browser.UntilAsync("/rolled back to step 60900/.test(document.querySelector('.chart .tip:not([hidden])')?.textContent)");
    }

    /// <summary>Newest first: what each epoch changed, and how it ended.</summary>
    private static async Task LineageAsync(Browser browser)
    {
        const string Rows = "[...document.querySelectorAll('table')].find(t => /\\bEnded\\b/.test(t.tHead?.innerText ?? '')).tBodies[0].rows";
        var cells = ((string)(await browser.AskAsync($"JSON.stringify([...{Rows}].map(r => [0, 7, 8].map(c => r.cells[c].innerText.trim())))"))!);
        var rows = JsonNode.Parse(cells)!.AsArray().Select(r => (Epoch: (string)r![0]!, Changed: (string)r[1]!, Ended: (string)r[2]!)).ToArray();
        Assert.Equal(["7", "6", "5", "4", "3", "2", "1"], rows.Select(r => r.Epoch));
        Assert.Equal("running at step 143000", rows[0].Ended);
        Assert.Equal(("hyperParameters.learningRate.peak 0.00012 -> 0.0000792; run 1.0 -> 1.1", "DeviceFailed at step 98765"), (rows[2].Changed, rows[2].Ended));
        Assert.Equal(("", "DeviceFailed at step 11300"), (rows[6].Changed, rows[6].Ended));
    }

    private static async Task ByKeysAsync(Browser browser)
    {
        const string Said = "document.querySelector('p.sr[role=status]').textContent";
        await browser.PressAsync("Tab");
        Assert.Equal("Skip to content", (string?)await browser.AskAsync("document.activeElement.textContent"));
        await browser.AskAsync("document.querySelector('.chart').focus()");
        await browser.PressAsync("Home");
        await browser.UntilAsync($"/^Loss .* at step 1: /.test({Said})");
        await browser.PressAsync("ArrowRight");
        await browser.UntilAsync($"!/ at step 1: /.test({Said})");
        await browser.PressAsync("End");
        await browser.UntilAsync($"/ at step 12000: /.test({Said})");
        await browser.PressAsync("Tab");
        Assert.Equal("Learning rate", ((string?)await browser.AskAsync("document.activeElement.getAttribute('aria-label')"))!.Split(':')[0]);
    }

    /// <summary>The node map is one stop of the Tab key, and what comes in live leaves the machine that one is at.</summary>
    private static async Task NodesByKeysAsync(Browser browser)
    {
        Assert.Equal(1, (int)(await browser.AskAsync("document.querySelectorAll('.nodes button[tabindex=\"0\"]').length"))!);
        await browser.AskAsync("document.querySelector('.nodes button[tabindex=\"0\"]').focus()");
        foreach (var key in (string[])["End", "ArrowLeft"]) await browser.PressAsync(key);
        Assert.StartsWith("gpu-17: quarantined", (string?)await browser.AskAsync("document.activeElement.title"), StringComparison.Ordinal);
        await browser.PressAsync("Home");
        await browser.AskAsync("document.activeElement.click()");
        // gpu-0 is not in what is said of gpu-125 or gpu-129
        await browser.UntilAsync("/^gpu-0: member 0.*The logbook does not mention it/s.test(document.querySelector('#node-detail').innerText)");
    }

    private static async Task ByMouseAsync(Browser browser)
    {
        await browser.HoverAsync(".chart .u-over", 11_300.0 / 12_000);
        await browser.UntilAsync("/step 11,300: launched epoch 2/.test(document.querySelector('.chart .tip:not([hidden])')?.textContent)");
        Assert.Equal(1, (int)(await browser.AskAsync("document.querySelectorAll('.tip:not([hidden])').length"))!);   // six charts share the cursor, one explains
        await browser.HoverAsync("h1", 0.5);
        await browser.UntilAsync("document.querySelectorAll('.tip:not([hidden])').length === 0");
    }

    private static async Task SearchAsync(Browser browser)
    {
        await browser.UntilAsync("/Show 270 older entries/.test(document.body.innerText)");
        await browser.AskAsync("document.querySelector('#search').focus()");
        await browser.TypeAsync("needle");
        await browser.UntilAsync("/1 of 300 entries/.test(document.body.innerText) && /the oldest needle/.test(document.body.innerText)");
    }

    private static async Task LiveAsync(Browser browser, SampleData data)
    {
        const string Label = "document.querySelector('.chart').getAttribute('aria-label')";
        var record = data.Record("uid-opt-175b");
        record.Columns.Add(SampleData.Record(12_001, new(1)) with { Loss = 1.25 });
        await browser.UntilAsync($"/: now 1.25,/.test({Label})");
        record.Columns.Add(SampleData.Record(11_001, new(1)) with { Epoch = 9, Loss = 1.5 });   // went back a thousand steps
        await browser.UntilAsync($"/: now 1.5,/.test({Label}) && /of 11,001 steps/.test(document.body.innerText)");
        record.Note([new LogbookEntry { Time = SampleData.Start.AddYears(1), Epoch = 9, Step = 11_001, Actor = "user", What = "took a haystack away", Why = "to find the needle" }]);
        await browser.AskAsync("document.querySelector('.nodes button[tabindex=\"0\"]').focus()");
        record.Note([new LogbookEntry { Time = SampleData.Start.AddYears(1), Epoch = 9, Step = 11_001, Actor = "operator", What = "looked at gpu-0", Why = "a needle fell" }]);
        await browser.UntilAsync("/3 of 302 entries/.test(document.body.innerText) && /looked at gpu-0/.test(document.querySelector('#node-detail').innerText)");
        Assert.StartsWith("gpu-0: ", (string?)await browser.AskAsync("document.activeElement.title"), StringComparison.Ordinal);
    }

    private static void AssertShown(string dom)
    {
        Assert.Equal(130, ((string[])["member", "spare", "quarantined", "trouble"]).Sum(kind => dom.Split($"<button class=\"{kind}\"").Length - 1));
        Assert.Contains("of 143,000 steps drawn", dom, StringComparison.Ordinal);
        Assert.Contains("Goodput: productive 98.0 %", dom, StringComparison.Ordinal);
        Assert.Contains("rolled back to step 60900", dom, StringComparison.Ordinal);
        Assert.Contains("&lt;script&gt;alert(1)&lt;/script&gt;", dom, StringComparison.Ordinal);   // text stays text
    }

    private static Task<DashboardServer> ServeAsync(SampleData data) => DashboardServer.StartAsync(IPAddress.Loopback, 0, data, new TokenAccess(null), new SampleClock(), Cancelled);
}
