<?php

// The platform's database as Laravel sees it: connects, without an application around it.
//
// RECONCILER_TEST_LARAVEL holds the connection's settings as JSON, which are those of Laravel's `config/database.php`.

declare(strict_types=1);

// Debian's Laravel is older than its PHP, which has something to say about that.
error_reporting(E_ALL & ~E_DEPRECATED);
ini_set('display_errors', 'stderr');

require_once 'Illuminate/Database/autoload.php';
require_once 'Illuminate/Events/autoload.php';

use Illuminate\Container\Container;
use Illuminate\Database\Capsule\Manager;
use Illuminate\Events\Dispatcher;

date_default_timezone_set('UTC'); // what `config/app.php` says unless somebody changes it

$capsule = new Manager();
$capsule->addConnection(json_decode(getenv('RECONCILER_TEST_LARAVEL'), true, 512, JSON_THROW_ON_ERROR) + [
    'driver' => 'pgsql',
    'charset' => 'utf8',
    'prefix' => '',
    'schema' => 'public',
    'timezone' => 'UTC',
]);
$capsule->setEventDispatcher(new Dispatcher(new Container()));
$capsule->setAsGlobal();
$capsule->bootEloquent();

return $capsule;
